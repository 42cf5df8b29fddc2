"""What the page says, independent of how it is drawn. Plain values; no markup."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

ORDER = ("error", "warning", "note", "none")


@dataclass
class Finding:
    """One finding: severity, rule, message, place as ``path:line``."""

    severity: str
    rule: str
    message: str
    place: str


@dataclass
class Page:
    """All parts of the page; None marks a part that was not given."""

    title: str
    subject: str
    findings: list[Finding] | None = None
    tests: dict | None = None
    review: dict | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def failed_tests(self):
        """How many tests failed or broke."""
        return (self.tests or {}).get("failures", 0) + (self.tests or {}).get("errors", 0)

    @property
    def passed(self):
        """Nothing that must be mended: no failing test, no finding of level error."""
        return not self.failed_tests and not any(f.severity == "error" for f in self.findings or [])

    @property
    def outcome(self):
        """The page in one sentence."""
        parts = []
        if self.tests is not None:
            done = self.tests["tests"]
            parts.append(
                f"{self.failed_tests} of {done} tests failed"
                if self.failed_tests
                else f"all {done} tests passed"
                if done
                else "no tests were found"
            )
        if self.findings is not None:
            parts.append(f"{len(self.findings)} {'finding' if len(self.findings) == 1 else 'findings'}")
        if self.review is not None:
            remarks = len(self.review["remarks"])
            parts.append(f"{remarks} {'remark' if remarks == 1 else 'remarks'} by the reviewer")
        text = ", ".join(parts) or "nothing was checked"
        return text[0].upper() + text[1:]


def findings_of(sarif):
    """The results of a SARIF log, the severest first, then by place."""
    found = []
    for run in sarif.get("runs", []):
        for result in run.get("results", []):
            place = ""
            for location in result.get("locations", [])[:1]:
                physical = location.get("physicalLocation", {})
                place = unquote(physical.get("artifactLocation", {}).get("uri", ""))
                line = physical.get("region", {}).get("startLine")
                place += f":{line}" if line else ""
            found.append(
                Finding(
                    result.get("level", "warning"),
                    result.get("ruleId") or "",
                    result["message"].get("text", ""),
                    place,
                )
            )
    return sorted(
        found, key=lambda f: (ORDER.index(f.severity) if f.severity in ORDER else 9, path_key(f.place))
    )


def path_key(place):
    """Sort by path, then by number of the line."""
    path, _, line = place.rpartition(":")
    return (path, int(line)) if line.isdigit() else (place, 0)
