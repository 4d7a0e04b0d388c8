// The tokens of a word that is expanded (dockerfile.md 6).
//
// The escape character is always a backslash here, and quotes are always
// active: the character stream hides what another setting turns off. It also
// shows other scripts' letters and digits as `a` and `0`: a set of all letters
// in the grammar would take longer to load than most Dockerfiles to read.
lexer grammar WordLexer;

fragment LETTER : [A-Za-z_] ;
fragment DIGIT : [0-9] ;

ESCAPED : '\\' . ;
ESCAPE_AT_END : '\\' ;
SINGLE : '\'' ~'\''* '\'' ;
SINGLE_OPEN : '\'' ~'\''* ;
QUOTE : '"' -> pushMode(QUOTED) ;
VARIABLE : '$' (LETTER (LETTER | DIGIT)* | DIGIT+ | [@*#?\-$!]) ;
BRACE : '${' -> pushMode(NAME) ;
DOLLAR : '$' ;
TEXT : ~[\\'"$]+ ;

mode QUOTED;
QUOTED_END : '"' -> popMode ;
QUOTED_ESCAPED : '\\' ["$\\] ;
QUOTED_ESCAPE : '\\' ;
QUOTED_VARIABLE : '$' (LETTER (LETTER | DIGIT)* | DIGIT+ | [@*#?\-$!]) -> type(VARIABLE) ;
QUOTED_BRACE : '${' -> type(BRACE), pushMode(NAME) ;
QUOTED_DOLLAR : '$' -> type(DOLLAR) ;
QUOTED_TEXT : ~[\\"$]+ -> type(TEXT) ;

// Behind `${`. A name may be missing: `${+x}` has an empty one.
mode NAME;
VARIABLE_NAME : (LETTER (LETTER | DIGIT)* | DIGIT+ | [@*#?\-$!]) -> mode(MODIFIER) ;
NAME_WORD_MODIFIER : '+' -> type(WORD_MODIFIER), mode(ARGUMENT) ;
NAME_PATTERN_MODIFIER : '%' '%'? -> type(PATTERN_MODIFIER), mode(ARGUMENT) ;
NAME_REPLACE_MODIFIER : '/' '/'? -> type(REPLACE_MODIFIER), mode(PATTERN) ;
BAD_NAME : [{}:] -> mode(ARGUMENT) ;
NAME_UNSUPPORTED : . -> type(UNSUPPORTED), mode(ARGUMENT) ;

mode MODIFIER;
MODIFIER_END : '}' -> type(END), popMode ;
WORD_MODIFIER : ':'? [\-+?] -> mode(ARGUMENT) ;
PATTERN_MODIFIER : ('#' '#'? | '%' '%'?) -> mode(ARGUMENT) ;
REPLACE_MODIFIER : '/' '/'? -> mode(PATTERN) ;
// The reference reads the argument before it refuses these.
UNSUPPORTED_COLON : ':' ~[\-+?#%] -> mode(ARGUMENT) ;
UNSUPPORTED : (':' [#%] | .) -> mode(ARGUMENT) ;

// Up to the next `}`; braces are not counted.
mode ARGUMENT;
END : '}' -> popMode ;
ARGUMENT_ESCAPED : '\\' . -> type(ESCAPED) ;
ARGUMENT_ESCAPE_AT_END : '\\' -> type(ESCAPE_AT_END) ;
ARGUMENT_SINGLE : '\'' ~'\''* '\'' -> type(SINGLE) ;
ARGUMENT_SINGLE_OPEN : '\'' ~'\''* -> type(SINGLE_OPEN) ;
ARGUMENT_QUOTE : '"' -> type(QUOTE), pushMode(QUOTED) ;
ARGUMENT_VARIABLE : '$' (LETTER (LETTER | DIGIT)* | DIGIT+ | [@*#?\-$!]) -> type(VARIABLE) ;
ARGUMENT_BRACE : '${' -> type(BRACE), pushMode(NAME) ;
ARGUMENT_DOLLAR : '$' -> type(DOLLAR) ;
ARGUMENT_TEXT : ~[\\'"$}]+ -> type(TEXT) ;

// Between `/` and `/` of a replacement.
mode PATTERN;
PATTERN_END : '/' -> mode(ARGUMENT) ;
PATTERN_ESCAPED : '\\' . -> type(ESCAPED) ;
PATTERN_ESCAPE_AT_END : '\\' -> type(ESCAPE_AT_END) ;
PATTERN_SINGLE : '\'' ~'\''* '\'' -> type(SINGLE) ;
PATTERN_SINGLE_OPEN : '\'' ~'\''* -> type(SINGLE_OPEN) ;
PATTERN_QUOTE : '"' -> type(QUOTE), pushMode(QUOTED) ;
PATTERN_VARIABLE : '$' (LETTER (LETTER | DIGIT)* | DIGIT+ | [@*#?\-$!]) -> type(VARIABLE) ;
PATTERN_BRACE : '${' -> type(BRACE), pushMode(NAME) ;
PATTERN_DOLLAR : '$' -> type(DOLLAR) ;
PATTERN_TEXT : ~[\\'"$/]+ -> type(TEXT) ;
