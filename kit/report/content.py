"""What the page says, independent of how it is drawn. Plain values; no markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

ORDER = ("error", "warning", "note", "none")
BROKEN = ("failed", "error")


@dataclass(frozen=True)
class Finding:
    """One finding: severity, rule, message, place as ``path:line``."""

    severity: str
    rule: str
    message: str
    place: str


@dataclass(frozen=True)
class Remark:
    """One remark of the reviewer."""

    severity: str
    message: str
    place: str


@dataclass(frozen=True)
class Case:
    """One test case that did not pass."""

    status: str
    suite: str
    name: str
    message: str
    trace: str


@dataclass(frozen=True)
class Tests:
    """Numbers over all cases, and those that broke."""

    total: int
    failures: int
    errors: int
    skipped: int
    seconds: float
    broken: list[Case] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many failed or broke."""
        return self.failures + self.errors

    @property
    def passed(self) -> int:
        """How many passed."""
        return self.total - self.failed - self.skipped


@dataclass(frozen=True)
class Review:
    """The reviewer's word."""

    summary: str
    verdict: str
    remarks: list[Remark]


@dataclass(frozen=True)
class Page:
    """All parts of the page; None marks a part that was not given. ``missing`` names those that had to be."""

    title: str
    subject: str
    findings: list[Finding] | None = None
    tests: Tests | None = None
    review: Review | None = None
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing that must be mended: no failing test, no finding of level error, no rejection, no missing part."""
        failed = self.tests is not None and self.tests.failed > 0
        rejected = self.review is not None and self.review.verdict == "reject"
        severe = any(finding.severity == "error" for finding in self.findings or [])
        return not (failed or rejected or severe or self.missing)

    @property
    def outcome(self) -> str:
        """The page in one sentence, without its full stop."""
        parts = []
        if self.tests is not None:
            parts.append(tests_in_words(self.tests))
        if self.findings is not None:
            parts.append(counted(len(self.findings), "finding"))
        if self.review is not None:
            parts.append(f"{counted(len(self.review.remarks), 'remark')} by the reviewer")
        parts += [f"{name} missing" for name in self.missing]
        text = ", ".join(parts) or "nothing was checked"
        return text[0].upper() + text[1:]


def tests_in_words(tests: Tests) -> str:
    """The test results in a few words."""
    if not tests.total:
        return "no tests were found"
    if tests.failed:
        return f"{tests.failed} of {counted(tests.total, 'test')} failed"
    skipped = f", {tests.skipped} skipped" if tests.skipped else ""
    every = "all " if tests.passed == tests.total > 1 else ""
    return f"{every}{counted(tests.passed, 'test')} passed{skipped}"


def counted(number: int, word: str) -> str:
    """``1 finding``, ``2 findings``, ``no findings``."""
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def findings_of(sarif: Mapping[str, Any]) -> list[Finding]:
    """The results of a SARIF log, the severest first, then by place."""
    found = [
        Finding(
            severity_of(result.get("level", "warning")),
            result.get("ruleId") or "",
            result["message"].get("text", ""),
            place_of(result),
        )
        for run in sarif.get("runs", [])
        for result in run.get("results") or []
    ]
    return sorted(found, key=lambda finding: (ORDER.index(finding.severity), path_key(finding.place)))


def place_of(result: Mapping[str, Any]) -> str:
    """``path:line`` of a result, empty when it has no place."""
    for location in result.get("locations", []):
        physical = location.get("physicalLocation", {})
        path = unquote(physical.get("artifactLocation", {}).get("uri", ""))
        return with_line(path, physical.get("region", {}).get("startLine"))
    return ""


def with_line(path: str, line: int | None) -> str:
    """``path:line``, or the path alone."""
    return f"{path}:{line}" if line else path


def severity_of(word: str) -> str:
    """A severity of ours; unknown words read as notes."""
    return word if word in ORDER else "note"


def path_key(place: str) -> tuple[str, int]:
    """Sort by path, then by number of the line."""
    path, _, line = place.rpartition(":")
    return (path, int(line)) if line.isdigit() else (place, 0)


def tests_of(report: Mapping[str, Any]) -> Tests:
    """A test report as the page shows it."""
    return Tests(
        report["tests"],
        report["failures"],
        report["errors"],
        report["skipped"],
        report["seconds"],
        list(broken_cases(report["cases"])),
    )


def broken_cases(cases: list[Mapping[str, Any]]) -> Iterator[Case]:
    """The cases that failed or broke."""
    for case in cases:
        if case["status"] in BROKEN:
            message, trace = case.get("message", ""), case.get("trace", "")
            yield Case(case["status"], case.get("suite", ""), case["name"], message, trace)


def review_of(review: Mapping[str, Any]) -> Review:
    """A review as the page shows it."""
    remarks = [
        Remark(
            severity_of(remark.get("severity", "note")),
            remark["message"],
            with_line(remark.get("path", ""), remark.get("line")),
        )
        for remark in review["remarks"]
    ]
    return Review(review["summary"], review.get("verdict", ""), list(dict.fromkeys(remarks)))
