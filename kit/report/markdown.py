"""The page as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from content import Case, Finding, Page, Review, Tests


def render(page: Page, limit: int) -> str:
    """The whole document; at most ``limit`` findings."""
    out = [f"# {cell(page.title)}", f"**{cell(page.outcome)}.**"]
    if page.subject:
        out.append(f"Subject: `{cell(page.subject)}`")
    if page.review is not None:
        out += review_part(page.review)
    if page.tests is not None:
        out += tests_part(page.tests)
    if page.findings is not None:
        out += findings_part(page.findings, limit)
    if page.notes:
        out += ["## Remarks", "\n".join(f"- {cell(note)}" for note in page.notes)]
    return "\n\n".join(out) + "\n"


def review_part(review: Review) -> Iterator[str]:
    """The reviewer's summary and remarks."""
    yield "## Review"
    yield cell(review.summary)
    if review.remarks:
        yield "\n".join(f"- {r.severity} · `{cell(r.place)}` {cell(r.message)}" for r in review.remarks)


def tests_part(tests: Tests) -> Iterator[str]:
    """Numbers, then every case that broke."""
    yield "## Tests"
    yield (
        "| tests | passed | failed | broken | skipped | seconds |\n|--:|--:|--:|--:|--:|--:|\n"
        f"| {tests.total} | {tests.passed} | {tests.failures} | {tests.errors} | {tests.skipped} | {tests.seconds} |"
    )
    for case in tests.broken:
        yield from broken_case(case)


def broken_case(case: Case) -> Iterator[str]:
    """One case that broke."""
    yield f"### {cell(case.suite)} {cell(case.name)}"
    yield fenced(case.trace or case.message)


def findings_part(findings: Sequence[Finding], limit: int) -> Iterator[str]:
    """One row for each finding."""
    yield "## Findings"
    if not findings:
        yield "Nothing found."
        return
    rows = [
        f"| {f.severity} | {cell(f.rule)} | `{cell(f.place)}` | {cell(f.message)} |" for f in findings[:limit]
    ]
    yield "\n".join(["| severity | rule | place | message |", "|---|---|---|---|", *rows])
    if len(findings) > limit:
        yield f"{len(findings) - limit} further findings are in the SARIF output."


def cell(text: str) -> str:
    """Text in one line that cannot end a table cell, begin a tag or close its code marks."""
    line = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return line.replace("<", "&lt;").replace("`", "'")


def fenced(text: str) -> str:
    """Preformatted text with a fence longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.strip()}\n{fence}"
