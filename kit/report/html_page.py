"""The page as one HTML file that loads nothing. Every text is escaped; there is no script."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from markdown import place

SIGNS = {"error": "✕ error", "warning": "▲ warning", "note": "· note", "none": "· note"}


def severity(word):
    """A severity with its sign and its word; unknown ones read as notes."""
    name = word if word in SIGNS else "note"
    return f'<span class="sign {name}">{SIGNS[name]}</span>'


def table(heads, rows):
    """A table with a head row; cells are markup already."""
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>"
        + "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
        + "</tbody></table>"
    )


def section(title, *parts):
    """A titled part of the page."""
    return f"<section><h2>{title}</h2>{''.join(parts)}</section>"


def review_section(review):
    """The reviewer's summary and remarks."""
    rows = [
        (severity(r.get("severity", "note")), f"<code>{escape(place(r))}</code>", escape(r["message"]))
        for r in review["remarks"]
    ]
    return section(
        "Review",
        f"<p>{escape(review['summary'])}</p>",
        table(["severity", "place", "remark"], rows) if rows else "",
    )


def tests_section(tests):
    """Counts, then every failing case with its message."""
    counts = table(
        ["tests", "failed", "errors", "skipped", "seconds"],
        [[tests[k] for k in ("tests", "failures", "errors", "skipped", "seconds")]],
    )
    failing = [case for case in tests["cases"] if case["outcome"] in ("failed", "error")]
    parts = [
        f'<details><summary><span class="sign bad">✕ {escape(case["outcome"])}</span> {escape(case["suite"])} <code>{escape(case["name"])}</code></summary><pre>{escape(case.get("message", ""))}</pre></details>'
        for case in failing
    ]
    return section("Tests", counts, *parts)


def findings_section(findings, limit):
    """One row a finding, the severest first."""
    if not findings:
        return section("Findings", '<p><span class="sign good">✓</span> Nothing found.</p>')
    rows = [
        (
            severity(f.severity),
            f"<code>{escape(f.rule)}</code>",
            f"<code>{escape(f.place)}</code>",
            escape(f.message),
        )
        for f in findings[:limit]
    ]
    more = (
        f'<p class="muted">{len(findings) - limit} further findings are in the SARIF output.</p>'
        if len(findings) > limit
        else ""
    )
    return section("Findings", table(["severity", "rule", "place", "message"], rows), more)


def render(page, limit):
    """The whole file."""
    parts = []
    if page.review is not None:
        parts.append(review_section(page.review))
    if page.tests is not None:
        parts.append(tests_section(page.tests))
    if page.findings is not None:
        parts.append(findings_section(page.findings, limit))
    if page.notes:
        parts.append(
            section("Left out", "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in page.notes) + "</ul>")
        )
    template = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(page.title),
        outcome=escape(page.outcome),
        tone="good" if page.passed else "bad",
        sign="✓ passed" if page.passed else "✕ needs work",
        subject=f'<p class="muted">{escape(page.subject)}</p>' if page.subject else "",
        sections="\n".join(parts),
    )
