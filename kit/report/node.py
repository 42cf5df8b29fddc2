"""Write the report in both forms. A part that was not given is left out; the notes say how to turn it on."""

from __future__ import annotations

from pathlib import Path

import html_page
import markdown
from content import Page, findings_of


def main(inputs, parameters, task, context):
    """Return both files, whether everything passed, and the outcome in one sentence."""
    page = Page(
        title=parameters["title"],
        subject=parameters["subject"],
        findings=findings_of(inputs["findings"]) if "findings" in inputs else None,
        tests=inputs.get("tests"),
        review=inputs.get("review"),
        notes=list(parameters["notes"]),
    )
    limit = parameters["max_findings"]
    Path("report.md").write_text(markdown.render(page, limit), "utf-8")
    Path("report.html").write_text(html_page.render(page, limit), "utf-8")
    context.artifact("markdown", "report.md", "text/markdown")
    context.artifact("html", "report.html", "text/html")
    return {"passed": page.passed, "summary": page.outcome}
