"""How an expression is cut up so that macros run at our own level.

A *segment* is a stretch of CEL without macros: every ``x.map(v, t)`` in it has become ``x.macro__(K)``, a call of
our own function with the number of a *site*; ``v`` and ``t`` (again a segment) stay with the site. So the library
never loops, and each round, its input and its result can be bounded. Paths are the roots an expression reads
(``a.n.x`` as ``("a", "n", "x")``), with how often they stand there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from polyphony_schemas.expressions import limits
from polyphony_schemas.expressions.functions import (
    FUNCTIONS,
    MACRO_KINDS,
    OWN_MACRO,
    OWN_NAMES,
    MacroKind,
)
from polyphony_schemas.expressions.tokens import Token, refuse, tokenize
from polyphony_schemas.names import did_you_mean

Path = tuple[str, ...]
_CONSTANTS = frozenset({"true", "false", "null", "in"})


@dataclass(frozen=True, slots=True)
class Site:
    """One macro: for each item as ``variable``, ``predicate`` and (for ``map``) ``transform``."""

    kind: MacroKind
    variable: str
    predicate: Segment | None
    transform: Segment | None

    @property
    def innermost(self) -> bool:
        """Whether no macro runs inside this one."""
        return not any(part and part.sites for part in (self.predicate, self.transform))


@dataclass(frozen=True, slots=True)
class Segment:
    """CEL without macros. ``sites`` are the numbers of those it calls."""

    text: str
    paths: tuple[tuple[Path, int], ...]
    variables: tuple[tuple[str, int], ...]
    sites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """A name that an expression reads: its path of plain members and where it stands (offset in characters)."""

    path: Path
    offset: int
    member_call: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A bounded expression: its segments, its macros, and every name it reads."""

    segment: Segment
    sites: tuple[Site, ...]
    roots: tuple[Root, ...]
    variables: tuple[tuple[str, int], ...]


@lru_cache(maxsize=4096)
def plan(source: str) -> Plan:
    """Cut ``source`` up; raises ExpressionError (PLY1101, PLY1102, PLY1103, PLY1105)."""
    return _Planner(source).plan()


@dataclass(slots=True)
class _Draft:
    """A segment in the making."""

    pieces: list[str] = field(default_factory=list)
    paths: Counter[Path] = field(default_factory=Counter)
    variables: Counter[str] = field(default_factory=Counter)
    sites: list[int] = field(default_factory=list)

    def finish(self) -> Segment:
        return Segment(
            "".join(self.pieces), tuple(self.paths.items()), tuple(self.variables.items()), tuple(self.sites)
        )


class _Planner:
    """One walk over the tokens."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.sites: list[Site] = []
        self.roots: list[Root] = []
        self.variables: list[tuple[str, int]] = []

    def plan(self) -> Plan:
        segment = self.segment(0, len(self.tokens), ())
        return Plan(segment, tuple(self.sites), tuple(self.roots), tuple(self.variables))

    def segment(self, start: int, end: int, scope: tuple[str, ...]) -> Segment:
        """The tokens ``start`` to ``end`` as a segment; ``scope`` holds the macro variables in sight."""
        draft = _Draft()
        index = start
        while index < end:
            index = self.step(index, start, scope, draft)
        return draft.finish()

    def step(self, index: int, start: int, scope: tuple[str, ...], draft: _Draft) -> int:
        token = self.tokens[index]
        if index > start:
            draft.pieces.append(self.source[self.tokens[index - 1].end : token.start])
        if token.text == "." and token.kind == "mark":
            self.check_dot(index)
            self.check_member(index)
        if token.kind != "name" or (token.text in _CONSTANTS and not self.is_mark(index - 1, ".")):
            draft.pieces.append(token.text)
            return index + 1
        if self.is_mark(index + 1, "("):
            return self.call(index, scope, draft)
        draft.pieces.append(token.text)
        if self.is_mark(index - 1, "."):
            return index + 1
        self.root(index, scope, draft)
        return index + 1

    def call(self, index: int, scope: tuple[str, ...], draft: _Draft) -> int:
        """A function or macro name before its bracket."""
        token = self.tokens[index]
        method = self.is_mark(index - 1, ".")
        if token.text in MACRO_KINDS and method:
            return self.macro(index, scope, draft)
        if token.text == "has" and not method:
            self.check_has(index)
        elif token.text not in FUNCTIONS:
            known = (*FUNCTIONS, *MACRO_KINDS, "has")
            raise refuse(
                limits.UNKNOWN_NAME,
                f"got the unknown function {token.text!r}",
                token.start,
                did_you_mean(token.text, known) or f"available are {', '.join(sorted(known))}",
            )
        draft.pieces.append(OWN_NAMES.get(token.text, token.text))
        return index + 1

    def macro(self, index: int, scope: tuple[str, ...], draft: _Draft) -> int:
        token, opening = self.tokens[index], index + 1
        closing = self.tokens[opening].partner
        arguments = self.arguments(opening, closing)
        kind = MACRO_KINDS[token.text]
        if len(arguments) not in ((2, 3) if kind == "map" else (2,)):
            raise refuse(
                limits.BAD_MACRO,
                f"got {len(arguments)} arguments for {kind}",
                token.start,
                f"write {kind}(item, …) with a name for the item first",
            )
        if len(scope) >= limits.MAX_NESTED_MACROS:
            raise refuse(
                limits.BAD_MACRO,
                f"got more than {limits.MAX_NESTED_MACROS} macros inside each other",
                token.start,
                "compute the inner list in a node of its own",
            )
        variable = self.variable(arguments[0])
        inner = (*scope, variable)
        parts = [self.segment(first, last, inner) for first, last in arguments[1:]]
        transform = parts.pop() if kind == "map" else None
        number = len(self.sites)
        self.sites.append(Site(kind, variable, parts[0] if parts else None, transform))
        draft.sites.append(number)
        draft.pieces.append(f"{OWN_MACRO}({number})")
        return closing + 1

    def variable(self, place: tuple[int, int]) -> str:
        first, last = place
        token = self.tokens[first]
        if last - first != 1 or token.kind != "name" or token.text in _CONSTANTS:
            raise refuse(
                limits.BAD_MACRO,
                "got no plain name for the item of a macro",
                token.start,
                "write a name, like item",
            )
        self.variables.append((token.text, token.start))
        return token.text

    def arguments(self, opening: int, closing: int) -> list[tuple[int, int]]:
        """The token ranges between the commas; an empty one is a syntax error."""
        ranges: list[tuple[int, int]] = []
        first = index = opening + 1
        while index <= closing:
            if index == closing or self.is_mark(index, ","):
                if index == first:
                    raise refuse(
                        limits.SYNTAX,
                        "got an empty argument",
                        self.tokens[index].start,
                        "write an expression there",
                    )
                ranges.append((first, index))
                first = index + 1
            partner = self.tokens[index].partner
            index = partner + 1 if partner > index else index + 1
        return ranges

    def root(self, index: int, scope: tuple[str, ...], draft: _Draft) -> None:
        token = self.tokens[index]
        if self.is_mark(index + 1, "{"):
            raise refuse(
                limits.SYNTAX,
                f"got a message {token.text!r}{{…}}",
                token.start,
                "write a map, like {'key': value}",
            )
        if token.text in scope:
            draft.variables[token.text] += 1
            return
        path = (token.text, *self.members(index))
        last = index + 2 * (len(path) - 1)
        member_call = self.is_mark(last + 1, ".") and self.is_mark(last + 3, "(")
        draft.paths[path] += 1
        self.roots.append(Root(path, token.start, member_call))

    def members(self, index: int) -> Iterator[str]:
        """The plain members after a name: ``.b.c`` up to a call, an index or an operator."""
        while (
            self.is_mark(index + 1, ".")
            and index + 2 < len(self.tokens)
            and self.tokens[index + 2].kind == "name"
            and not self.is_mark(index + 3, "(")
        ):
            index += 2
            yield self.tokens[index].text

    def check_dot(self, index: int) -> None:
        before = self.tokens[index - 1] if index else None
        if before is None or (before.kind == "mark" and before.text not in (")", "]", "}")):
            raise refuse(
                limits.SYNTAX,
                "got '.' after nothing",
                self.tokens[index].start,
                "name what the member belongs to",
            )

    def check_member(self, index: int) -> None:
        after = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        if after is None or after.kind != "name":
            raise refuse(
                limits.SYNTAX, "got '.' without a name after it", self.tokens[index].start, "name the member"
            )

    def check_has(self, index: int) -> None:
        closing = self.tokens[index + 1].partner
        if not (self.tokens[closing - 1].kind == "name" and self.is_mark(closing - 2, ".")):
            raise refuse(
                limits.BAD_MACRO, "got has() of no member", self.tokens[index].start, "write has(node.port)"
            )

    def is_mark(self, index: int, text: str) -> bool:
        """Whether token ``index`` exists and is the mark ``text``."""
        if not 0 <= index < len(self.tokens):
            return False
        token: Token = self.tokens[index]
        return token.kind == "mark" and token.text == text
