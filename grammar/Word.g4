// The structure of a word that is expanded. Every input matches: what ends too
// early ends in EOF, and the walker says what is missing.
parser grammar Word;

options { tokenVocab = WordLexer; }

word : piece* EOF ;

piece
  : TEXT | DOLLAR | ESCAPED | ESCAPE_AT_END | SINGLE | SINGLE_OPEN | VARIABLE
  | quoted | braced ;

quoted : QUOTE quotedPiece* (QUOTED_END | EOF) ;

quotedPiece
  : TEXT | DOLLAR | QUOTED_ESCAPED | QUOTED_ESCAPE | VARIABLE | braced ;

braced
  : BRACE (BAD_NAME | EOF)
  | BRACE VARIABLE_NAME? UNSUPPORTED
  | BRACE VARIABLE_NAME (END | EOF)
  | BRACE VARIABLE_NAME? (WORD_MODIFIER | PATTERN_MODIFIER) argument
  | BRACE VARIABLE_NAME? REPLACE_MODIFIER pattern argument?
  | BRACE VARIABLE_NAME UNSUPPORTED_COLON argument ;

argument : piece* (END | EOF) ;

pattern : piece* (PATTERN_END | EOF) ;
