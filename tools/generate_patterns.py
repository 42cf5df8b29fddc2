"""Run the conformance suite on every executor and write docs/patterns.md from what came of it.

What came of it is kept in tests/conformance/results.json, beside a digest of each pattern. ``--check`` runs nothing: it
says whether the page is current, and a pattern that changed since it ran has no result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generated_files import ROOT, write_or_check

sys.path.insert(0, str(ROOT / "tests"))

from support.conformance_patterns import CONFORMANCE, ERRORS, PATTERNS, Pattern, patterns

PAGE = ROOT / "docs" / "patterns.md"
RESULTS = CONFORMANCE / "results.json"
WAYS = ("local", "cluster", "sandbox", "schedules")
Results = dict[str, dict[str, str]]

HEAD = """# Control-flow patterns

The 43 workflow control-flow patterns by their numbers (Russell, ter Hofstede, van der Aalst and Mulyar 2006), each as a melody. Made from a run of
the conformance suite by `tools/generate_patterns.py`; `make test` runs the same suite.

Beside each melody lies `expect.yaml`: what goes in, what the world does meanwhile (signals, cancels, nodes that are held back), what comes out, and the
exact set of orders that the events of the run may have. A journal with any other order fails. *local* is the Conductor in one process with its journal on
disk, *cluster* PostgreSQL, Redis and three workers, *sandbox* real boxes for the nodes, where they prove something more. *schedules* plays the pure core
under schedules drawn at random: each order that comes must be allowed, and two events that the expectation leaves unordered must be seen in both orders.

```
polyphony run ./tests/conformance/patterns/01-sequence --override conformance/act=tests/conformance/act
```

plays one by hand (not those in which nodes are held back: the suite has its own program for that).
"""
TAIL = """A pattern that says *none* cannot be drawn in a melody:
"""
ERROR_HEAD = """## Error strategies

In the same notation, by the same suite.
"""


class Recorder:
    """Collects what pytest reports about each pattern."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, bool]] = {}

    def pytest_runtest_logreport(self, report: object) -> None:
        """One phase of one test is over."""
        properties = dict(getattr(report, "user_properties", ()))
        if "pattern" in properties:
            ways = self.found.setdefault(properties["pattern"], {})
            way = properties["way"]
            ways[way] = ways.get(way, True) and not getattr(report, "failed", True)


def run_suite() -> Results:
    """Run everything; what came of each pattern, with the digest of what ran."""
    import pytest

    recorder = Recorder()
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(CONFORMANCE)]
    pytest.main(words, plugins=[recorder])
    results: Results = {}
    for pattern in (*patterns(PATTERNS), *patterns(ERRORS)):
        ways = recorder.found.get(pattern.key, {})
        came = {way: "passed" if ways[way] else "failed" for way in WAYS if way in ways}
        results[pattern.key] = {"digest": pattern.digest, **came}
    return results


def document(results: Results) -> str:
    """The whole page."""
    found = patterns(PATTERNS)
    reasons = [
        f"- {one.number} {one.name} ({one.meaning}): {one.reason}."
        for one in (pattern.expectation for pattern in found)
        if one.reason
    ]
    lines = [
        HEAD,
        *table(found, results),
        "",
        TAIL,
        *reasons,
        "",
        ERROR_HEAD,
        *table(patterns(ERRORS), results),
    ]
    return "\n".join([*lines, ""])


def table(found: list[Pattern], results: Results) -> list[str]:
    """One line for each pattern."""
    head = "| | pattern | level | in a melody | local | cluster | sandbox | schedules |"
    return [head, "|---|---|---|---|---|---|---|---|", *(row(one, results.get(one.key, {})) for one in found)]


def row(pattern: Pattern, came: dict[str, str]) -> str:
    """One pattern; results of other bytes than those of now count for nothing."""
    expected = pattern.expectation
    about = f"| {expected.number} | **{expected.name}**: {expected.meaning} | {expected.level} |"
    if not pattern.expressible:
        return f"{about} none | | | | |"
    current = came if came.get("digest") == pattern.digest else {}
    ways = [way for way in WAYS if way != "sandbox" or expected.sandbox]
    cells = " | ".join(current.get(way, "not run") if way in ways else "" for way in WAYS)
    link = f"../tests/conformance/{pattern.key}/melody.yaml"
    return f"{about} {expected.how} ([melody]({link})) | {cells} |"


def kept() -> Results:
    """The results of the last run of the suite."""
    found: Results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


if __name__ == "__main__":
    results = kept() if "--check" in sys.argv[1:] else run_suite()
    files: dict[Path, str] = {PAGE: document(results), RESULTS: json.dumps(results, indent=1) + "\n"}
    sys.exit(write_or_check(files))
