"""``core/wait`` and ``core/approve`` (docs/melody.md): when they begin to wait, and what ends it."""

from __future__ import annotations

from datetime import datetime

from polyphony_runner.conductor.directives import DirectiveError, check_inputs, given
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.mail import Wait
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Node, RunState, error_of
from polyphony_runner.conductor.values import load
from polyphony_schemas.journal import format_time
from polyphony_schemas.scalars import parse_duration
from polyphony_schemas.values import JsonObject, JsonValue

_WAYS = ("delay", "at", "signal")


def wait(state: RunState, node: Node, moment: Moment) -> Draft:
    """Begin to wait for a time or a signal."""
    values = check_inputs(node.spec.inputs, given(state, node))
    ways = [way for way in _WAYS if way in values]
    if len(ways) != 1:
        raise DirectiveError(
            "PLY2002",
            f"got {' and '.join(ways) or 'nothing to wait for'}, expected one of: {', '.join(_WAYS)}",
        )
    match ways[0]:
        case "delay":
            return _waiting(node, "delay", until=moment.now_ms + parse_duration(str(values["delay"])))
        case "at":
            return _waiting(node, "at", until=_milliseconds(str(values["at"])))
        case _:
            return _waiting(
                node, "signal", until=_timeout(values, moment), further={"name": values["signal"]}
            )


def approve(state: RunState, node: Node, moment: Moment) -> Draft:
    """Begin to wait for a person."""
    values = check_inputs(node.spec.inputs, given(state, node))
    further: dict[str, JsonValue] = {"question": values["question"], "who": values.get("who", [])}
    if "timeout" in values:
        further["on_timeout"] = values.get("on_timeout", "reject")
    return _waiting(node, "approval", until=_timeout(values, moment), further=further)


def _waiting(
    node: Node, what: str, *, until: int | None, further: dict[str, JsonValue] | None = None
) -> Draft:
    data: dict[str, JsonValue] = {"for": what, **(further or {})}
    if until is not None:
        data["until"] = format_time(until)
    return Draft("node.waiting", node.path, node.attempt, data)


def _timeout(values: dict[str, JsonValue], moment: Moment) -> int | None:
    return moment.now_ms + parse_duration(str(values["timeout"])) if "timeout" in values else None


def _milliseconds(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise DirectiveError(
            "PLY2002", f"at gave {text!r}, expected a time with its zone such as 2030-01-31T08:00:00Z"
        )
    return round(found.timestamp() * 1000)


def delivered(state: RunState, node: Node, moment: Moment) -> Draft:
    """What was waited for has come."""
    del moment
    wait = _wait_of(node)
    if wait.answer is not None:
        return _answered(node, wait.answer)
    payload = None if wait.signal is None else load(wait.signal.payload, state.reader)
    return _succeeded(node, {"payload": payload, "timed_out": False})


def due(state: RunState, node: Node, moment: Moment) -> Draft:
    """The time is there: the end of a delay, or of patience."""
    wait = _wait_of(node)
    match wait.kind:
        case "delay" | "at":
            return _succeeded(node, {"timed_out": False})
        case "signal":
            return _succeeded(node, {"timed_out": True})
        case "approval":
            if wait.on_timeout == "fail":
                error = error_of("timeout", "nobody decided in time")
                return fail(state, node, error, moment, retryable=False)
            return _answered(node, {"approved": wait.on_timeout == "approve", "by": None, "comment": None})


def _answered(node: Node, answer: JsonObject) -> Draft:
    return _succeeded(node, {name: answer.get(name) for name in ("approved", "by", "comment")})


def _succeeded(node: Node, outputs: dict[str, JsonValue]) -> Draft:
    return Draft("node.succeeded", node.path, node.attempt, {"outputs": outputs})


def _wait_of(node: Node) -> Wait:
    if node.wait is None:
        raise AssertionError(f"{node.path} waits for nothing")
    return node.wait
