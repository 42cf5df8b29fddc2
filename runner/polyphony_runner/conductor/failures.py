"""What a failure leads to (docs/melody.md, When something fails): another attempt, a fallback, or one final act."""

from __future__ import annotations

from polyphony_runner.conductor.environment import fill, truth
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.paths import place
from polyphony_runner.conductor.state import Error, Node, RunState, error_of
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.graph.model import Retry
from polyphony_schemas.values import JsonValue

# Nobody's fault that another attempt would mend.
_NEVER_RETRIED = frozenset({"unavailable", "cancelled", "expression"})


def fail(state: RunState, node: Node, error: Error, moment: Moment, *, retryable: bool = True) -> Draft:
    """The event that follows from this failure of the node."""
    attempt = node.attempt or None
    if retryable:
        delay, problem = _delay(state, node, error, moment)
        if problem:
            return Draft("node.failed", node.path, attempt, {"error": problem, "final": "fail"})
        if delay is not None:
            return Draft("node.retrying", node.path, attempt, {"error": dict(error), "delay_ms": delay})
    fallbacks = node.spec.on_error.fallback
    if node.fallbacks < len(fallbacks) and not _is_ending(state, node):
        by = place(node.frame, fallbacks[node.fallbacks])
        data: dict[str, JsonValue] = {"for": "fallback", "by": by, "error": dict(error)}
        return Draft("node.waiting", node.path, attempt, data)
    return _final_act(state, node, error)


def _final_act(state: RunState, node: Node, error: Error) -> Draft:
    """What the node names for when nothing helped: ``skip``, ``compensate``, ``halt``, or the plain failure."""
    attempt, policy = node.attempt or None, node.spec.on_error
    facts: dict[str, JsonValue] = {"error": dict(error)}
    match policy.final:
        case "skip":
            return _skip(state, node, error)
        case "compensate":
            by = place(node.frame, str(policy.compensate))
            return Draft("node.failed", node.path, attempt, {**facts, "final": "compensate", "by": by})
        case "halt" if not _is_ending(state, node):
            return Draft("node.waiting", node.path, attempt, {"for": "resume", **facts})
        case _:
            return Draft("node.failed", node.path, attempt, {**facts, "final": "fail"})


def _skip(state: RunState, node: Node, error: Error) -> Draft:
    attempt, template = node.attempt or None, node.spec.on_error.skip_outputs
    facts: dict[str, JsonValue] = {"error": dict(error), "final": "skip"}
    if template is None:
        return Draft("node.failed", node.path, attempt, facts)
    try:
        outputs = fill(state, node.frame, template, {"error": dict(error)})
    except ExpressionError as wrong:
        problem = error_of("expression", f"outputs of skip: {wrong.message}; after: {error['message']}")
        return Draft("node.failed", node.path, attempt, {"error": problem, "final": "fail"})
    return Draft("node.failed", node.path, attempt, {**facts, "outputs": outputs})


def _is_ending(state: RunState, node: Node) -> bool:
    """Whether the node or the run is being ended: then nothing new is tried for it, and nobody is asked."""
    if node.cancelling is not None:
        return True
    if node.duty is not None and node.duty.kind != "fallback":
        return False
    return state.ending is not None


def _delay(state: RunState, node: Node, error: Error, moment: Moment) -> tuple[int | None, Error | None]:
    """Milliseconds until the next attempt, None for no further one; or the error of the policy's ``when``."""
    retry = node.spec.on_error.retry
    if retry is None or node.retries >= retry.max or error["kind"] in _NEVER_RETRIED:
        return None, None
    if _is_ending(state, node):
        return None, None
    if retry.when is not None:
        try:
            if not truth(state, node.frame, retry.when, {"error": dict(error)}):
                return None, None
        except ExpressionError as wrong:
            return None, error_of("expression", f"when of retry: {wrong.message}; after: {error['message']}")
    delay = backoff(retry, node.retries, moment.luck)
    left = total_left(state, node, moment.now_ms)
    return (None if left is not None and delay >= left else delay), None


def backoff(retry: Retry, already: int, luck: float) -> int:
    """Milliseconds to wait before the retry after ``already`` earlier ones; ``luck`` from -1 to 1 is the jitter."""
    delay = float(retry.delay_ms)
    if retry.backoff == "exponential":
        # Past 64 doublings every delay is at its maximum; the bound keeps the power finite.
        delay *= retry.factor ** min(already, 64)
    delay = min(delay, float(retry.max_delay_ms))
    return max(0, round(delay * (1 + retry.jitter * luck)))


def total_left(state: RunState, node: Node, now_ms: int) -> int | None:
    """Milliseconds left of ``limits.total``; pauses of the run do not count. None without such a limit."""
    total = node.spec.limits.total_ms or node.frame.limits.total_ms
    if total is None:
        return None
    if node.first_started_ms is None:
        return total
    paused = state.paused_ms - node.paused_before_ms
    return total - (now_ms - node.first_started_ms - paused)


def attempt_timeout(state: RunState, node: Node, now_ms: int) -> int | None:
    """Milliseconds this attempt may take: ``limits.timeout``, and never more than is left of ``limits.total``."""
    timeout = node.spec.limits.timeout_ms or node.frame.limits.timeout_ms
    left = total_left(state, node, now_ms)
    bounds = [bound for bound in (timeout, left) if bound is not None]
    return max(0, min(bounds)) if bounds else None
