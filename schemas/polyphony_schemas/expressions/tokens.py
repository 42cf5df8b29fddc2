"""Our own tokenizer of CEL: it counts tokens and nesting before any other code sees the text.

Accepts the lexical grammar of CEL less what has no JSON value: no bytes literals, no unsigned integers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import limits

TokenKind = Literal["name", "number", "string", "mark"]

_SPACE = re.compile(r"(?:[ \t\r\n\f]+|//[^\n]*)+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(
    r'[rR](?:"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'|"[^"\r\n]*"|\'[^\'\r\n]*\')'
    r'|"""(?:[^\\]|\\(?:.|\n))*?"""'
    r"|'''(?:[^\\]|\\(?:.|\n))*?'''"
    r'|"(?:[^"\\\r\n]|\\.)*"'
    r"|'(?:[^'\\\r\n]|\\.)*'"
)
_MARK = re.compile(r"&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}]")
_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: ``start`` and ``end`` are offsets in characters; ``partner`` is the index of its bracket."""

    kind: TokenKind
    text: str
    start: int
    end: int
    partner: int = -1


def refuse(code: str, message: str, offset: int, hint: str) -> ExpressionError:
    """The error at ``offset`` (characters); ``details["column"]`` counts from 1."""
    return ExpressionError(
        code, f"{message} (column {offset + 1})", hint=hint, details={"column": offset + 1}
    )


def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of ``text``, brackets matched; raises ExpressionError (PLY1101, PLY1102)."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.MAX_TEXT_BYTES:
        raise refuse(
            limits.TOO_BIG,
            f"got an expression of {size} bytes, expected at most {limits.MAX_TEXT_BYTES}",
            0,
            "compute it in a node, or split it over core/set nodes",
        )
    tokens: list[Token] = []
    position = _skip(text, 0)
    while position < len(text):
        token = _next(text, position)
        tokens.append(token)
        if len(tokens) > limits.MAX_TOKENS:
            raise refuse(
                limits.TOO_BIG,
                f"got an expression of more than {limits.MAX_TOKENS} tokens",
                position,
                "compute it in a node, or split it over core/set nodes",
            )
        position = _skip(text, token.end)
    if not tokens:
        raise refuse(limits.SYNTAX, "got an empty expression, expected CEL", 0, "write a CEL expression")
    return _match_brackets(tokens)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _next(text: str, position: int) -> Token:
    string = _STRING.match(text, position)
    if string:
        return Token("string", string[0], position, string.end())
    name = _NAME.match(text, position)
    if name:
        if text[name.end() : name.end() + 1] in ("'", '"'):
            raise refuse(limits.SYNTAX, f"got the string prefix {name[0]!r}", position, "use a plain string")
        return Token("name", name[0], position, name.end())
    number = _NUMBER.match(text, position)
    if number:
        if text[number.end() : number.end() + 1] in ("u", "U"):
            raise refuse(limits.SYNTAX, "got an unsigned integer", position, "leave out the 'u'")
        return Token("number", number[0], position, number.end())
    mark = _MARK.match(text, position)
    if mark:
        return Token("mark", mark[0], position, mark.end())
    raise refuse(
        limits.SYNTAX,
        f"got {text[position]!r}, which no CEL expression holds here",
        position,
        "close every string; write == && || for equal, and, or",
    )


def _match_brackets(tokens: list[Token]) -> tuple[Token, ...]:
    matched = list(tokens)
    open_at: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        if token.text in _OPENING:
            open_at.append(index)
            if len(open_at) > limits.MAX_NESTING:
                raise refuse(
                    limits.TOO_BIG,
                    f"got brackets nested deeper than {limits.MAX_NESTING}",
                    token.start,
                    "split the expression over core/set nodes",
                )
        elif token.text in _OPENING.values():
            opening = open_at.pop() if open_at else -1
            if opening < 0 or _OPENING[tokens[opening].text] != token.text:
                raise refuse(
                    limits.SYNTAX,
                    f"got {token.text!r} that closes nothing",
                    token.start,
                    "match the brackets",
                )
            matched[opening] = _with_partner(tokens[opening], index)
            matched[index] = _with_partner(token, opening)
    if open_at:
        token = tokens[open_at[-1]]
        raise refuse(
            limits.SYNTAX, f"got {token.text!r} that is never closed", token.start, "match the brackets"
        )
    return tuple(matched)


def _with_partner(token: Token, partner: int) -> Token:
    return Token(token.kind, token.text, token.start, token.end, partner)
