"""The page as one HTML file that loads nothing. Every text is escaped; there is no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

from content import ORDER, Case, Finding, Page, Review, Tests, counted

SIGNS = {"error": "✕", "warning": "▲", "note": "·", "none": "·"}
OPEN_ROWS = 40  # a longer list starts folded


def render(page: Page, limit: int) -> str:
    """The whole file; at most ``limit`` findings."""
    parts = []
    if page.review is not None:
        parts.append(review_section(page.review))
    if page.tests is not None:
        parts.append(tests_section(page.tests))
    if page.findings is not None:
        parts.append(findings_section(page.findings, limit))
    if page.notes:
        parts.append(section("Remarks", listed(escape(note) for note in page.notes)))
    template = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(page.title),
        outcome=escape(page.outcome),
        tone="good" if page.passed else "bad",
        sign="✓" if page.passed else "✕",
        word="passed" if page.passed else "needs work",
        subject=f'<p class="subject"><code>{escape(page.subject)}</code></p>' if page.subject else "",
        facts=facts(page),
        sections="\n".join(parts),
    )


def facts(page: Page) -> str:
    """The numbers of the page, one tile each."""
    tiles = []
    if page.tests is not None:
        tone = "bad" if page.tests.failed else "good"
        tiles.append(tile(f"{page.tests.passed}", f"of {counted(page.tests.total, 'test')} passed", tone))
        tiles.append(tile(f"{page.tests.seconds:.1f} s", "in the tests", ""))
    if page.findings is not None:
        severe = any(finding.severity == "error" for finding in page.findings)
        tiles.append(tile(str(len(page.findings)), "findings", "bad" if severe else "good"))
    if page.review is not None:
        tiles.append(tile(page.review.verdict or "–", "says the reviewer", ""))
    return f'<dl class="facts">{"".join(tiles)}</dl>' if tiles else ""


def tile(number: str, label: str, tone: str) -> str:
    """One number with what it counts."""
    return f'<div><dt>{escape(label)}</dt><dd class="{tone}">{escape(number)}</dd></div>'


def section(title: str, *parts: str) -> str:
    """A titled part of the page."""
    return f"<section><h2>{title}</h2>{''.join(parts)}</section>"


def review_section(review: Review) -> str:
    """The reviewer's summary and remarks."""
    rows = [(sign(r.severity), code(r.place), escape(r.message)) for r in review.remarks]
    remarks = table(["severity", "place", "remark"], rows) if rows else ""
    return section("Review", f"<p>{escape(review.summary)}</p>", remarks)


def tests_section(tests: Tests) -> str:
    """What passed and what did not, then every case that broke."""
    if not tests.total:
        return section("Tests", '<p class="muted">No tests were found.</p>')
    shares = [
        ("good", tests.passed, "passed"),
        ("bad", tests.failed, "failed"),
        ("muted", tests.skipped, "skipped"),
    ]
    bar = "".join(f'<i class="{tone}" style="flex-grow:{n}"></i>' for tone, n, _ in shares if n)
    legend = " · ".join(f'<span class="{tone}">{n} {word}</span>' for tone, n, word in shares if n)
    return section(
        "Tests",
        f'<div class="bar" aria-hidden="true">{bar}</div><p class="legend">{legend}</p>',
        *(broken_case(case) for case in tests.broken),
    )


def broken_case(case: Case) -> str:
    """One case that broke, its trace folded."""
    name = f"{case.suite}.{case.name}" if case.suite else case.name
    head = f'<span class="sign error">✕ {escape(case.status)}</span> {code(name)}'
    first = escape(case.message.strip().split("\n")[0])
    return (
        f'<details><summary>{head}<span class="first">{first}</span></summary>'
        f"<pre>{escape(case.trace or case.message)}</pre></details>"
    )


def findings_section(findings: Sequence[Finding], limit: int) -> str:
    """Findings by severity and rule, the severest first."""
    if not findings:
        return section("Findings", '<p class="sign good">✓ Nothing found.</p>')
    ordered = sorted(findings[:limit], key=lambda f: (ORDER.index(f.severity), f.rule))
    groups = groupby(ordered, key=lambda f: (f.severity, f.rule))
    parts = [rule_group(list(group)) for _, group in groups]
    if len(findings) > limit:
        parts.append(
            f'<p class="muted">{len(findings) - limit} further findings are in the SARIF output.</p>'
        )
    return section("Findings", *parts)


def rule_group(found: list[Finding]) -> str:
    """The findings of one rule; a message that all of them share stands once."""
    first = found[0]
    head = f'{sign(first.severity)} {code(first.rule or "no rule")} <span class="muted">× {len(found)}</span>'
    if all(finding.message == first.message for finding in found):
        head += f'<span class="first">{escape(first.message)}</span>'
        body = f'<ul class="places">{"".join(f"<li>{code(f.place)}</li>" for f in found)}</ul>'
    else:
        body = table(["place", "message"], [(code(f.place), escape(f.message)) for f in found])
    opened = "" if len(found) > OPEN_ROWS else " open"
    return f"<details{opened}><summary>{head}</summary>{body}</details>"


def sign(severity: str) -> str:
    """A severity as sign and word."""
    word = "note" if severity == "none" else severity
    return f'<span class="sign {word}">{SIGNS[severity]} {word}</span>'


def code(text: str) -> str:
    """Text as code; long paths may break at their parts."""
    return f"<code>{escape(text).replace('/', '/<wbr>')}</code>" if text else ""


def listed(items: Iterable[str]) -> str:
    """A list; items are markup already."""
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head row; cells are markup already."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{name}">{cell}</td>' for name, cell in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
