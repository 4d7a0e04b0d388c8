// The tokens of one logical line. Which mode reads the rest of the line is
// chosen by the caller, who knows the shape of the keyword.
//
// The escape character is always a backslash here: the character stream swaps
// backslash and backquote for files that say `escape=` backquote.
lexer grammar InstructionLexer;

@members {
  // Long texts are one token and need no look at each of their characters.
  void TakeRest() { getInputStream()->seek(getInputStream()->size()); }
}

fragment BLANK : [\t\u000B\f\r ] ;
fragment SPACE
  : [\t\n\u000B\f\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000] ;
fragment NO_SPACE
  : ~[\t\n\u000B\f\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000'"\\] ;
fragment ESCAPED : '\\' . ;

// Keyword, then flags, then the body of the instruction.
KEYWORD : ~[\t\u000B\f\r ]+ -> mode(FLAGS) ;

mode FLAGS;
FLAG_SPACE : SPACE+ -> skip ;
FLAG : '--' (FLAG_PIECE+ FLAG_OPEN? | FLAG_OPEN) ;
fragment FLAG_PIECE
  : NO_SPACE | ESCAPED
  | '\'' (ESCAPED | ~['\\])* '\''
  | '"' (ESCAPED | ~["\\])* '"' ;
// An unterminated quote runs to the end of the line; an escape character at
// the very end is dropped.
fragment FLAG_OPEN
  : '\\' | '\'' (ESCAPED | ~['\\])* '\\'? | '"' (ESCAPED | ~["\\])* '\\'? ;
END_FLAGS : '--' -> mode(BODY) ;
TEXT : . { TakeRest(); } ;

mode BODY;
BODY_SPACE : SPACE+ -> skip ;
BODY_TEXT : . { TakeRest(); } -> type(TEXT) ;

// Words cut at blanks; quotes mean nothing.
mode WORDS;
WORD_SPACE : BLANK+ -> skip ;
WORD : ~[\t\u000B\f\r ]+ ;

// Words of ENV, LABEL and ARG. Quotes and escapes stay in the word; the word
// is cut at its first `=` later, which may stand inside quotes.
mode PAIRS;
PAIR_SPACE : SPACE+ -> skip ;
PAIR : (PAIR_PIECE+ PAIR_OPEN? | PAIR_OPEN) ;
fragment PAIR_PIECE
  : NO_SPACE | ESCAPED
  | '\'' ~'\''* '\''
  | '"' (ESCAPED | ~["\\])* '"' ;
fragment PAIR_OPEN : '\'' ~'\''* | '"' (ESCAPED | ~["\\])* ;
PAIR_ESCAPE_AT_END : '\\' -> skip ;

// RFC 8259, as strict as Go's encoding/json.
mode JSON;
JSON_SPACE : [ \t\r\n]+ -> skip ;
STRING : '"' (~["\\\u0000-\u001F] | '\\' (["\\/bfnrt] | 'u' HEX HEX HEX HEX))* '"' ;
fragment HEX : [0-9a-fA-F] ;
NUMBER : '-'? ('0' | [1-9] [0-9]*) ('.' [0-9]+)? ([eE] [+-]? [0-9]+)? ;
CONSTANT : 'true' | 'false' | 'null' ;
LIST_BEGIN : '[' ;
LIST_END : ']' ;
OBJECT_BEGIN : '{' ;
OBJECT_END : '}' ;
COMMA : ',' ;
COLON : ':' ;
NOT_JSON : . { TakeRest(); } ;

// One shell word that may be a heredoc: `3<<-EOF`.
mode MARKER;
DESCRIPTOR : [0-9]+ ;
MARK : '<<' '-'? -> mode(DELIMITERS) ;
NO_MARK : . { TakeRest(); } ;

mode DELIMITERS;
MARK_SPACE : SPACE+ -> skip ;
DELIMITER : ~[<\t\n\u000B\f\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000] ~'<'* ;
NO_DELIMITER : '<' { TakeRest(); } ;
