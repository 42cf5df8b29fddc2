"""The report, as Markdown and as HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from support.kit_packages import Kit

ATTACK = '</pre><script>alert(1)</script>"><img src=x onerror=y>|`\n# head'


def sarif(*findings: tuple[str, str, str, int]) -> dict[str, Any]:
    """A log of (level, rule, path, line)."""
    results = [
        {
            "ruleId": rule,
            "level": level,
            "message": {"text": f"{rule} {ATTACK}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}
            ],
        }
        for level, rule, path, line in findings
    ]
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": results}]}


def junit(failures: int = 0, total: int = 3) -> dict[str, Any]:
    cases = [{"name": ATTACK, "status": "failed", "message": ATTACK, "trace": ATTACK}] * failures
    return {"tests": total, "failures": failures, "errors": 0, "skipped": 0, "seconds": 1.5, "cases": cases}


REVIEW = {
    "summary": ATTACK,
    "verdict": "comment",
    "remarks": [{"path": ATTACK, "line": 3, "severity": "error", "message": ATTACK}],
}


class Tags(HTMLParser):
    """All tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_text_stays_text_in_both_forms(kit: Kit) -> None:
    inputs = {"findings": sarif(("error", ATTACK, "a|b.py", 1)), "tests": junit(1), "review": REVIEW}
    given = kit.succeed(
        "report", inputs=inputs, parameters={"title": ATTACK, "subject": ATTACK, "notes": [ATTACK]}
    )
    page = Tags(kit.text(given["html"]))
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"src"}
    markdown = kit.text(given["markdown"])
    fenced = markdown.split("```")[1::2]
    assert all("<script" not in part for part in markdown.split("```")[::2])
    assert any("<script" in part for part in fenced)


def test_the_outcome_in_one_sentence_and_whether_all_passed(kit: Kit) -> None:
    clean = kit.succeed("report", inputs={"findings": sarif(), "tests": junit()})
    assert (clean["passed"], clean["summary"]) == (True, "All 3 tests passed, no findings")
    failed = kit.succeed("report", inputs={"findings": sarif(("note", "N1", "a.py", 1)), "tests": junit(1)})
    assert (failed["passed"], failed["summary"]) == (False, "1 of 3 tests failed, 1 finding")
    severe = kit.succeed("report", inputs={"findings": sarif(("error", "E1", "a.py", 1)), "tests": junit()})
    assert severe["passed"] is False


def test_what_was_expected_and_is_missing_has_not_passed(kit: Kit) -> None:
    given = kit.succeed(
        "report", inputs={"findings": sarif()}, parameters={"expected": ["findings", "tests"]}
    )
    assert (given["passed"], given["summary"]) == (False, "No findings, tests missing")


def test_a_reviewer_who_rejects_has_the_last_word_and_says_a_thing_once(kit: Kit) -> None:
    remark = {"path": "a.py", "severity": "note", "message": "x"}
    review = {"summary": "No", "verdict": "reject", "remarks": [remark, remark]}
    given = kit.succeed("report", inputs={"review": review})
    assert (given["passed"], given["summary"]) == (False, "1 remark by the reviewer")


def test_findings_stand_by_severity_and_rule_and_the_rest_is_counted(kit: Kit, project: Path) -> None:
    found = sarif(("note", "N1", "a.py", 2), ("error", "E2", "b.py", 10), ("error", "E2", "b.py", 9))
    given = kit.succeed("report", inputs={"findings": found}, parameters={"max_findings": 2})
    page, markdown = kit.text(given["html"]), kit.text(given["markdown"])
    assert page.index("b.py:9") < page.index("b.py:10")
    assert "a.py:2" not in page
    assert "1 further findings" in page
    assert markdown.index("b.py:9") < markdown.index("b.py:10")


def test_an_empty_report_says_that_nothing_was_checked(kit: Kit) -> None:
    assert kit.succeed("report")["summary"] == "Nothing was checked"
