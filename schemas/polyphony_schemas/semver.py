"""Versions and ranges: Semantic Versioning 2.0.0, always as strings.

A version is ``MAJOR.MINOR.PATCH[-PRE][+BUILD]``; build metadata does not count in comparisons. A range is
``*``, ``^1``, ``^1.2.3``, ``~1.2``, ``1.2.3`` or comparisons joined by commas. Pre-releases match only a range
that names one with the same MAJOR.MINOR.PATCH.

>>> Range.parse("^1.2").allows(Version.parse("1.9.0"))
True
>>> Range.parse(">=1.2,<2").allows(Version.parse("2.0.0-rc.1"))
False
>>> choose(Range.parse("^1"), [Candidate(Version.parse("1.1.0"), "yanked"), Candidate(Version.parse("1.0.0"))])
Choice(chosen=Version('1.0.0'), passed_over=((Version('1.1.0'), 'yanked'),))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import Literal

from polyphony_schemas.errors import FormatError

BAD_VERSION = "PLY1304"
BAD_RANGE = "PLY1305"

_NUMBER = r"(?:0|[1-9][0-9]{0,14})"
_PRE = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
VERSION_PATTERN = rf"^({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRE}(?:\.{_PRE})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$"
_VERSION = re.compile(VERSION_PATTERN, re.ASCII)
_PARTIAL = re.compile(rf"({_NUMBER})(?:\.({_NUMBER}))?", re.ASCII)
_TERM = re.compile(r"(\^|~|>=|<=|>|<|=)? *([0-9][0-9A-Za-z.+-]*)", re.ASCII)
_MAX_TEXT = 128

Operator = Literal[">=", "<=", ">", "<", "="]
_RangeTerm = tuple[Operator, "Version"]


@total_ordering
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Version:
    """One version. Equal and ordered by precedence (SemVer 2, rule 11): ``build`` does not count."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``text``; raises FormatError (PLY1304)."""
        match = _VERSION.fullmatch(text) if len(text) <= _MAX_TEXT else None
        if match is None:
            raise FormatError(
                BAD_VERSION,
                f"got version {text[:_MAX_TEXT]!r}, expected MAJOR.MINOR.PATCH of Semantic Versioning",
                hint='write three numbers in a string, like version: "1.0.0"',
            )
        pre = tuple(match[4].split(".")) if match[4] else ()
        return cls(int(match[1]), int(match[2]), int(match[3]), pre, match[5] or "")

    @property
    def release(self) -> tuple[int, int, int]:
        """MAJOR, MINOR, PATCH."""
        return (self.major, self.minor, self.patch)

    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        marks = tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in self.pre)
        return (self.release, not self.pre, marks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        pre = "-" + ".".join(self.pre) if self.pre else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{build}"

    def __repr__(self) -> str:
        return f"Version({str(self)!r})"


@dataclass(frozen=True, slots=True)
class Range:
    """A set of versions: all ``terms`` must hold; no terms means any release."""

    source: str
    terms: tuple[_RangeTerm, ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read ``text``; raises FormatError (PLY1305)."""
        if text == "*":
            return cls(text, ())
        if len(text) > _MAX_TEXT:
            raise _bad_range(text[:_MAX_TEXT])
        parts = [part.strip(" ") for part in text.split(",")]
        terms = [term for part in parts for term in _terms(part, text, alone=len(parts) == 1)]
        return cls(text, tuple(terms))

    def allows(self, version: Version) -> bool:
        """Whether ``version`` is in the range; pre-releases only if a term names one of the same release."""
        if version.pre and not any(term.pre and term.release == version.release for _, term in self.terms):
            return False
        return all(_holds(operator, version, bound) for operator, bound in self.terms)

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known version; ``excluded`` says why it may not be chosen (yanked, quarantined, too young), or ""."""

    version: Version
    excluded: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen version, or None, and what was passed over and why, newest first."""

    chosen: Version | None
    passed_over: tuple[tuple[Version, str], ...]

    def explain(self) -> str:
        """What was passed over, in words; empty when nothing was."""
        return ", ".join(f"{version} ({reason})" for version, reason in self.passed_over)


def choose(wanted: Range, candidates: Iterable[Candidate]) -> Choice:
    """The highest candidate in range that is not excluded.

    ``passed_over`` lists what is higher than the chosen one and was not taken: excluded versions of the range,
    and pre-releases that only the rule about naming them kept out.
    """
    passed: list[tuple[Version, str]] = []
    for candidate in sorted(candidates, key=lambda c: (c.version, c.version.build), reverse=True):
        version = candidate.version
        if wanted.allows(version):
            if not candidate.excluded:
                return Choice(version, tuple(passed))
            passed.append((version, candidate.excluded))
        elif version.pre and all(_holds(operator, version, bound) for operator, bound in wanted.terms):
            passed.append((version, "pre-release that the range does not name"))
    return Choice(None, tuple(passed))


def _holds(operator: Operator, version: Version, bound: Version) -> bool:
    match operator:
        case ">=":
            return version >= bound
        case "<=":
            return version <= bound
        case ">":
            return version > bound
        case "<":
            return version < bound
        case "=":
            return version == bound


def _terms(part: str, whole: str, *, alone: bool) -> list[_RangeTerm]:
    match = _TERM.fullmatch(part)
    if match is None:
        raise _bad_range(whole)
    operator, text = match[1] or "=", match[2]
    given = _given(text, whole)
    low = _filled(text, given)
    if operator in ("^", "~"):
        return [(">=", low), ("<", _ceiling(operator, low, given))]
    if operator == "=":
        if given < 3 or not alone:
            raise _bad_range(whole)
        return [("=", low)]
    return [(_comparison(operator), low)]


def _comparison(operator: str) -> Operator:
    comparisons: dict[str, Operator] = {">=": ">=", "<=": "<=", ">": ">", "<": "<"}
    return comparisons[operator]


def _given(text: str, whole: str) -> int:
    """How many of MAJOR.MINOR.PATCH are written."""
    if _VERSION.fullmatch(text):
        return 3
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise _bad_range(whole)
    return 2 if match[2] is not None else 1


def _filled(text: str, given: int) -> Version:
    return Version.parse(text + ".0" * (3 - given))


def _ceiling(operator: str, low: Version, given: int) -> Version:
    """The first version above the range; ``-0`` is the lowest pre-release, so ``<2.0.0-0`` keeps 2.0.0-rc out."""
    if operator == "~":
        release = (low.major, low.minor + 1, 0) if given > 1 else (low.major + 1, 0, 0)
    elif low.major or given == 1:
        release = (low.major + 1, 0, 0)
    elif low.minor or given == 2:
        release = (0, low.minor + 1, 0)
    else:
        release = (0, 0, low.patch + 1)
    return Version(*release)


def _bad_range(text: str) -> FormatError:
    return FormatError(
        BAD_RANGE,
        f"got version range {text!r}, expected one of ^1, ^1.2.3, ~1.2, 1.2.3, >=1.2,<2 or *",
        hint="use ^ for anything compatible, or a full version for exactly that one",
    )
