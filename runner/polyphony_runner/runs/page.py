"""The run report: one HTML page that needs nothing else. Outcome, the staff timeline, nodes, outputs, proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.runs.folder import RunRecord
from polyphony_runner.runs.page_style import STYLE
from polyphony_runner.runs.report import shown_error
from polyphony_runner.runs.signs import sign_of
from polyphony_schemas.journal import format_time
from polyphony_schemas.values import JsonObject, JsonValue

_STAFF_LINES = 5
_LINE_GAP = 14
_STAFF_GAP = 26
_WIDTH = 1000
_MOST_NOTES = 400
# Characters of a stack trace that are shown: its end, which says most.
_TRACE = 4_000
# Nothing is fetched and nothing is executed, should a value of a run ever become markup.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_WORDS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "was cancelled",
    "halted": "is halted",
    "running": "is running",
    "waiting": "is waiting",
}


def run_page(record: RunRecord, document: JsonObject, state: RunState) -> str:
    """The page of one run."""
    title = f"{record.name} {record.version}"
    nodes = list(state.nodes.values())
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(title)}: {escape(state.status)}</title><style>{STYLE}</style></head><body><main>",
            f"<h1>{escape(title)}</h1>",
            f"<p class='outcome {state.status}'>{_outcome(state, document)}</p>",
            _timeline(nodes, state),
            _error(document),
            _node_table(nodes),
            _outputs(document["outputs"]),
            _proof(record, document, state),
            "</main></body></html>\n",
        )
    )


def _outcome(state: RunState, document: JsonObject) -> str:
    counts: dict[str, int] = {}
    for node in state.nodes.values():
        counts[node.status] = counts.get(node.status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
    sign = sign_of(state.status)
    return f"{sign} The run {_WORDS[state.status]} after {document['seconds']} s; nodes: {escape(told)}."


def _timeline(nodes: Sequence[Node], state: RunState) -> str:
    """Each node is a note on a line of a staff; five lines to a staff, time from left to right."""
    played = [node for node in nodes if node.started_ms is not None][:_MOST_NOTES]
    if not played or state.started_ms is None:
        return ""
    start = state.started_ms
    end = max(state.ended_ms or state.now_ms, start + 1)
    lanes = _lanes(played)
    staves = max(lanes.values()) // _STAFF_LINES + 1
    height = staves * (_STAFF_LINES * _LINE_GAP + _STAFF_GAP)
    parts = [
        f"<section><h2>Timeline</h2><svg viewBox='0 0 {_WIDTH} {height}' role='img' ",
        f"aria-label='Timeline of {len(played)} nodes; the table below says the same'>",
    ]
    for staff in range(staves):
        for line in range(_STAFF_LINES):
            y = _y(staff * _STAFF_LINES + line)
            parts.append(f"<line class='staff' x1='0' x2='{_WIDTH}' y1='{y}' y2='{y}'/>")
    for node in played:
        began = node.started_ms or start
        x = 8 + (began - start) / (end - start) * (_WIDTH - 24)
        width = max(9.0, node.busy_ms / (end - start) * (_WIDTH - 24))
        y = _y(lanes[node.path])
        label = f"{node.path}: {node.status}, {node.busy_ms / 1000:.2f} s"
        kind = "scope" if node.is_scope else node.spec.kind
        parts.append(
            f"<rect class='note {node.status} {kind}' x='{x:.1f}' y='{y - 4.5:.1f}' width='{min(width, _WIDTH - x):.1f}' "
            f"height='9' rx='4.5'><title>{escape(label)}</title></rect>"
        )
    return "".join([*parts, "</svg></section>"])


def _y(lane: int) -> float:
    staff, line = divmod(lane, _STAFF_LINES)
    return staff * (_STAFF_LINES * _LINE_GAP + _STAFF_GAP) + 14 + line * _LINE_GAP


def _lanes(nodes: Sequence[Node]) -> dict[str, int]:
    """The first line that is free when a node starts."""
    free: list[int] = []
    lanes: dict[str, int] = {}
    for node in sorted(nodes, key=lambda node: (node.started_ms or 0, node.path)):
        began = node.started_ms or 0
        lane = next((lane for lane, until in enumerate(free) if until <= began), len(free))
        if lane == len(free):
            free.append(0)
        free[lane] = began + max(node.busy_ms, 1)
        lanes[node.path] = lane
    return lanes


def _error(document: JsonObject) -> str:
    error = document.get("error")
    if not isinstance(error, Mapping):
        return ""
    return f"<section class='error'><h2>Why it failed</h2><p><b>{escape(str(error['kind']))}</b> {escape(str(error['message']))}</p></section>"


def _outputs(outputs: JsonValue) -> str:
    if not isinstance(outputs, Mapping) or not outputs:
        return ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{_value(value)}</dd>" for name, value in outputs.items())
    return f"<section><h2>Outputs</h2><dl>{rows}</dl></section>"


def _value(value: JsonValue) -> str:
    if isinstance(value, Mapping) and {"digest", "name", "size"} <= value.keys():
        return f"{escape(str(value['name']))}, {escape(str(value['size']))} bytes <code>{escape(str(value['digest']))}</code>"
    if isinstance(value, str):
        return f"<pre>{escape(value)}</pre>"
    return f"<pre>{escape(json.dumps(value, ensure_ascii=False, indent=1))}</pre>"


def _node_table(nodes: Sequence[Node]) -> str:
    rows = "".join(
        f"<tr><td>{escape(node.path)}</td><td class='{node.status}'>{sign_of(node.status)} {node.status}</td>"
        f"<td>{node.attempt}</td><td>{node.busy_ms / 1000:.2f}</td><td>{_node_error(node)}</td></tr>"
        for node in nodes
    )
    head = "<tr><th>Node</th><th>Status</th><th>Attempts</th><th>Seconds</th><th>Error</th></tr>"
    return f"<section><h2>Nodes</h2><div class='wide'><table><thead>{head}</thead><tbody>{rows}</tbody></table></div></section>"


def _node_error(node: Node) -> str:
    error = shown_error(node)
    if error is None:
        return f"by {escape(node.by)}" if node.by is not None else ""
    told = f"{escape(str(error['kind']))}: {escape(str(error['message'])[:500])}"
    trace = error.get("trace")
    if not trace:
        return told
    return f"{told}<details><summary>Stack trace</summary><pre>{escape(str(trace)[-_TRACE:])}</pre></details>"


def _proof(record: RunRecord, document: JsonObject, state: RunState) -> str:
    facts = [
        ("Run", record.run),
        ("Started", format_time(state.started_ms) if state.started_ms is not None else "not yet"),
        ("Package", record.tree or "local, unverified"),
        ("Isolation", "none, by --unsafe-no-sandbox" if record.unsafe_no_sandbox else "sandboxed"),
        ("Cost", _cost(document.get("usage"))),
    ]
    facts += [
        (uses, f"{one.name} {one.version}, {one.tree or 'local, unverified'}")
        for uses, one in record.packages.items()
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f"<section><h2>Proof</h2><dl>{rows}</dl><p>Check it: <code>polyphony journal {record.run} --verify</code></p></section>"


def _cost(usage: JsonValue) -> str:
    if not isinstance(usage, Mapping):
        return "none"
    return f"{usage['usd']} USD, {usage['input_tokens']} tokens in, {usage['output_tokens']} out"
