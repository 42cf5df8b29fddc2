"""Write the report in both forms. A part that was not given is left out; the notes say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import html_page
import markdown
from content import Page, findings_of, review_of, tests_of

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

Document = dict[str, Any]


class Inputs(TypedDict, total=False):
    """SARIF findings, a test report, a review: each may be left out."""

    findings: Document
    tests: Document
    review: Document


class Parameters(TypedDict):
    """Head, remarks, and which inputs have to be there."""

    title: str
    subject: str
    notes: list[str]
    expected: list[str]
    max_findings: int


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return both files, whether everything passed, and the outcome in one sentence."""
    page = Page(
        title=parameters["title"],
        subject=parameters["subject"],
        findings=findings_of(inputs["findings"]) if "findings" in inputs else None,
        tests=tests_of(inputs["tests"]) if "tests" in inputs else None,
        review=review_of(inputs["review"]) if "review" in inputs else None,
        notes=parameters["notes"],
        missing=[name for name in parameters["expected"] if name not in inputs],
    )
    Path("report.md").write_text(markdown.render(page, parameters["max_findings"]), "utf-8")
    Path("report.html").write_text(html_page.render(page, parameters["max_findings"]), "utf-8")
    context.artifact("markdown", "report.md", "text/markdown")
    context.artifact("html", "report.html", "text/html")
    return {"passed": page.passed, "summary": page.outcome}
