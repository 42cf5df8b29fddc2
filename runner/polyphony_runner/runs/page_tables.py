"""The tables of the run report: nodes, what failed, what came out, what models cost, who was asked, what was written."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from math import inf

from polyphony_runner.conductor.state import Node
from polyphony_runner.runs.page_facts import MOST_ARTIFACTS, LogExcerpt, PageFacts
from polyphony_runner.runs.produced import Produced
from polyphony_runner.runs.report import shown_error
from polyphony_runner.runs.signs import sign_of
from polyphony_schemas.values import JsonObject

# Characters of a stack trace that are shown: its end, which says most.
_TRACE = 4_000
_MESSAGE = 500
_LINE = 500
_MOST_NODES = 2_000
_MOST_FAILURES = 50
_NUMBERS = frozenset(
    {"Attempts", "From", "Seconds", "Tokens in", "Tokens out", "USD", "Bytes", "Connections"}
)


def table(name: str, head: Sequence[str], rows: Sequence[str], note: str = "") -> str:
    """A section with a table that scrolls by itself where it is too wide; nothing without rows."""
    if not rows:
        return ""
    heads = "".join(f"<th{' class=number' if word in _NUMBERS else ''}>{escape(word)}</th>" for word in head)
    return (
        f"<section><h2>{escape(name)}</h2><div class='wide' tabindex='0' role='region' aria-label='{escape(name)}'>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{note}</section>"
    )


def node_table(nodes: Sequence[Node], began_ms: int | None) -> str:
    """Every node in the order in which they began, failures first where there are too many."""
    shown = sorted(nodes, key=_first_ms)
    if len(nodes) > _MOST_NODES:
        shown = sorted(shown, key=lambda node: node.status != "failed")[:_MOST_NODES]
    note = f"<p class='muted'>{len(shown)} of {len(nodes)} nodes.</p>" if len(nodes) > len(shown) else ""
    head = ("Node", "What", "Status", "Attempts", "From", "Seconds", "Error")
    return table("Nodes", head, [_node_row(node, began_ms) for node in shown], note)


def _node_row(node: Node, began_ms: int | None) -> str:
    first = _first_ms(node)
    start = "–" if first == inf or began_ms is None else f"{(first - began_ms) / 1000:.2f}"
    status = f"{node.status}, from the cache" if node.cached else node.status
    return (
        f"<tr><td>{escape(node.path)}</td><td class='muted'>{escape(node.spec.uses or node.spec.kind)}</td>"
        f"<td class='status {node.status}'>{sign_of(node.status)} {status}</td><td class='number'>{node.attempt}</td>"
        f"<td class='number'>{start}</td><td class='number'>{node.busy_ms / 1000:.2f}</td><td>{_node_error(node)}</td></tr>"
    )


def _first_ms(node: Node) -> float:
    """When a node began, infinite for one that did not."""
    times = [one for one in (node.first_started_ms, node.started_ms) if one is not None]
    return min(times, default=inf)


def _node_error(node: Node) -> str:
    error = shown_error(node)
    if error is None:
        return f"by {escape(node.by)}" if node.by is not None else ""
    return f"{escape(str(error['kind']))}: {escape(str(error['message'])[:_MESSAGE])}"


def failures(nodes: Sequence[Node]) -> str:
    """Every node that failed, with its stack trace; those that a melody tolerates are said to be tolerated."""
    failed = [node for node in nodes if shown_error(node) is not None and not node.is_scope]
    if not failed:
        return ""
    rest = len(failed) - _MOST_FAILURES
    more = f"<p class='muted'>{rest} more failed.</p>" if rest > 0 else ""
    shown = "".join(_failure(node, alone=len(failed) == 1) for node in failed[:_MOST_FAILURES])
    return f"<section class='failures'><h2>Failures</h2>{shown}{more}</section>"


def _failure(node: Node, *, alone: bool) -> str:
    error = shown_error(node) or {}
    told = " (tolerated)" if node.tolerated else ""
    head = f"<b>{escape(node.path)}</b> {escape(str(error.get('kind')))}{told}"
    message = f"<p>{escape(str(error.get('message'))[: _MESSAGE * 4])}</p>"
    trace = error.get("trace")
    if not trace:
        return f"<h3>{head}</h3>{message}"
    opened = " open" if alone else ""
    return (
        f"<h3>{head}</h3>{message}<details{opened}><summary>Stack trace</summary>"
        f"<pre>{escape(str(trace)[-_TRACE:])}</pre></details>"
    )


def artifact_table(artifacts: Sequence[Produced]) -> str:
    """What belongs to the run, by category."""
    shown = [one for one in artifacts if one.category != "metadata" or one.node is None]
    rows = [
        f"<tr><td>{one.category}</td><td>{escape('.'.join(word for word in (one.node, one.port) if word) or '–')}</td>"
        f"<td>{escape(one.name)}</td><td class='number'>{one.size:,}</td><td><code>{escape(one.digest)}</code></td></tr>"
        for one in shown[:MOST_ARTIFACTS]
    ]
    rest = len(shown) - len(rows)
    note = (
        f"<p class='muted'>{rest} more: <code>polyphony artifacts list</code> shows them.</p>" if rest else ""
    )
    return table("Artifacts", ("Category", "Where", "Name", "Bytes", "SHA-256"), rows, note)


def usage_table(facts: PageFacts) -> str:
    """What models cost, by node and model, with the sum."""
    if not facts.usage:
        return ""
    rows = [
        f"<tr><td>{escape(node)}</td><td>{escape(model)}</td><td class='number'>{used.input_tokens:,}</td>"
        f"<td class='number'>{used.output_tokens:,}</td><td class='number'>{used.usd:f}</td></tr>"
        for (node, model), used in facts.usage.items()
    ]
    every = facts.usage.values()
    usd = sum((one.usd for one in every), Decimal(0))
    rows.append(
        f"<tr class='sum'><td>all</td><td></td><td class='number'>{sum(one.input_tokens for one in every):,}</td>"
        f"<td class='number'>{sum(one.output_tokens for one in every):,}</td><td class='number'>{usd:f}</td></tr>"
    )
    return table("Usage", ("Node", "Model", "Tokens in", "Tokens out", "USD"), rows)


def host_table(facts: PageFacts) -> str:
    """Which hosts nodes asked for, and what the sandbox said."""
    rows = [
        f"<tr><td>{escape(host)}</td><td>{escape(verdict)}</td><td class='number'>{count}</td></tr>"
        for (host, verdict), count in sorted(facts.hosts.items())
    ]
    return table("Network", ("Host", "Verdict", "Connections"), rows)


def log_excerpts(facts: PageFacts) -> str:
    """The ends of the logs, each behind a line that opens it."""
    if not facts.logs:
        return ""
    more = (
        f"<p class='muted'>{facts.more_logs} more: <code>polyphony logs</code> shows them.</p>"
        if facts.more_logs
        else ""
    )
    return f"<section class='logs'><h2>Logs</h2>{''.join(_log(one) for one in facts.logs)}{more}</section>"


def _log(log: LogExcerpt) -> str:
    again = f", attempt {log.attempt}" if log.attempt > 1 else ""
    left_out = f", the last {len(log.lines)} shown" if log.total > len(log.lines) else ""
    lines = "\n".join(_line(line) for line in log.lines)
    return (
        f"<details><summary><b>{escape(log.node)}</b>{again}: {log.total} {'line' if log.total == 1 else 'lines'}{left_out}</summary>"
        f"<pre>{lines}</pre></details>"
    )


def _line(line: JsonObject) -> str:
    level = str(line.get("level", "info"))
    moment = str(line.get("at", ""))[11:23]
    text = f"{escape(moment)} {escape(level):<7} {escape(str(line.get('message', ''))[:_LINE])}"
    return (
        f"<span class='{'bad' if level == 'error' else 'warn'}'>{text}</span>"
        if level in ("error", "warning")
        else text
    )
