"""The run report: one HTML page that needs nothing else, no script among it.

Outcome, the staff timeline, outputs, failures, nodes, cost, network, artifacts, logs, proof.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from polyphony_runner.conductor.state import RunState
from polyphony_runner.runs.folder import RunRecord
from polyphony_runner.runs.page_facts import PageFacts
from polyphony_runner.runs.page_style import STYLE
from polyphony_runner.runs.page_tables import (
    artifact_table,
    failures,
    host_table,
    log_excerpts,
    node_table,
    usage_table,
)
from polyphony_runner.runs.page_timeline import timeline
from polyphony_runner.runs.signs import sign_of
from polyphony_schemas.journal import format_time
from polyphony_schemas.values import JsonObject, JsonValue

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


def run_page(record: RunRecord, document: JsonObject, state: RunState, facts: PageFacts) -> str:
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
            _error(document),
            timeline(facts.spans, state),
            _outputs(document["outputs"]),
            failures(nodes),
            node_table(nodes, state.started_ms),
            usage_table(facts),
            host_table(facts),
            artifact_table(facts.artifacts),
            log_excerpts(facts),
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


def _error(document: JsonObject) -> str:
    error = document.get("error")
    if not isinstance(error, Mapping):
        return ""
    why = "Why it halted" if document["status"] == "halted" else "Why it failed"
    return f"<section class='error'><h2>{why}</h2><p><b>{escape(str(error['kind']))}</b> {escape(str(error['message']))}</p></section>"


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
