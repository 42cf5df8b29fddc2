"""The page as Markdown."""

from __future__ import annotations


def cell(text):
    """Text inside a table cell."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def quoted(text):
    """Preformatted text with a fence longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.strip()}\n{fence}"


def render(page, limit):
    """The whole document."""
    out = [f"# {cell(page.title)}", f"**{page.outcome}.**"]
    if page.subject:
        out.append(f"Subject: `{cell(page.subject)}`")
    if page.review is not None:
        out += ["## Review", cell(page.review["summary"])]
        out += [
            f"- {cell(r.get('severity', 'note'))} · `{cell(place(r))}` {cell(r['message'])}"
            for r in page.review["remarks"]
        ]
    if page.tests is not None:
        out += [
            "## Tests",
            "| tests | failed | errors | skipped | seconds |\n|--:|--:|--:|--:|--:|\n"
            + "| {tests} | {failures} | {errors} | {skipped} | {seconds} |".format(**page.tests),
        ]
        for case in page.tests["cases"]:
            if case["outcome"] in ("failed", "error"):
                out += [f"### {cell(case['suite'])} {cell(case['name'])}", quoted(case.get("message", ""))]
    if page.findings is not None:
        out.append("## Findings")
        rows = [
            f"| {f.severity} | {cell(f.rule)} | `{cell(f.place)}` | {cell(f.message)} |"
            for f in page.findings[:limit]
        ]
        out.append(
            "\n".join(["| severity | rule | place | message |", "|---|---|---|---|", *rows])
            if rows
            else "Nothing found."
        )
        if len(page.findings) > limit:
            out.append(f"{len(page.findings) - limit} further findings are in the SARIF output.")
    if page.notes:
        out += ["## Left out", "\n".join(f"- {cell(note)}" for note in page.notes)]
    return "\n\n".join(out) + "\n"


def place(remark):
    """``path:line`` of a remark."""
    line = f":{remark['line']}" if remark.get("line") else ""
    return f"{remark.get('path', '')}{line}"
