"""JUnit's XML as the JSON of ``urn:polyphony:junit``."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}
MESSAGE, TRACE = 1000, 6000  # characters


def report_of(xml: bytes, limit: int) -> dict[str, object]:
    """Numbers over all cases and at most ``limit`` of them, those that did not pass first."""
    cases = [case_of(element) for element in testcases(xml)]
    counts = {status: sum(case["status"] == status for case in cases) for status in OUTCOMES.values()}
    shown = sorted(cases, key=lambda case: case["status"] not in ("failed", "error"))[:limit]
    return {
        "tests": len(cases),
        "failures": counts["failed"],
        "errors": counts["error"],
        "skipped": counts["skipped"],
        "seconds": round(sum(seconds(element) for element in testcases(xml)), 3),
        "cases": shown,
    }


def broken_report(message: str, said: str) -> dict[str, object]:
    """The report of a session that could not start: one case that broke."""
    case = {"name": "the test session", "status": "error", "message": message, "trace": said[-TRACE:]}
    return {"tests": 1, "failures": 0, "errors": 1, "skipped": 0, "seconds": 0, "cases": [case]}


def testcases(xml: bytes) -> Iterator[ElementTree.Element]:
    """The cases of all suites."""
    return ElementTree.fromstring(xml).iter("testcase")  # noqa: S314  # expat refuses entity bombs


def case_of(element: ElementTree.Element) -> dict[str, object]:
    """One case."""
    case: dict[str, object] = {
        "name": element.get("name") or "(no name)",
        "suite": element.get("classname", ""),
        "status": "passed",
        "seconds": seconds(element),
    }
    if element.get("file"):
        case["file"] = element.get("file")
        if (line := element.get("line", "")).isdigit():
            case["line"] = int(line) + 1  # pytest counts from 0
    for child in element:
        if child.tag in OUTCOMES:
            case["status"] = OUTCOMES[child.tag]
            case["message"] = (child.get("message") or "")[:MESSAGE]
            case["trace"] = (child.text or "").strip()[-TRACE:]
            break
    return case


def seconds(element: ElementTree.Element) -> float:
    """How long a case took."""
    try:
        return max(0.0, float(element.get("time", "0")))
    except ValueError:
        return 0.0
