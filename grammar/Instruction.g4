// One logical line of a Dockerfile: its head, then one of the shapes that the
// rest can have.
parser grammar Instruction;

options { tokenVocab = InstructionLexer; }

head : KEYWORD FLAG* END_FLAGS? TEXT? EOF ;

words : WORD* EOF ;

pairs : PAIR* EOF ;

json : list EOF ;
list : LIST_BEGIN (value (COMMA value)*)? LIST_END ;
value : STRING | NUMBER | CONSTANT | list | object ;
object : OBJECT_BEGIN (member (COMMA member)*)? OBJECT_END ;
member : STRING COLON value ;

heredoc : DESCRIPTOR? MARK DELIMITER EOF ;
