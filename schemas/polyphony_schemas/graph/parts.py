"""The small parts of a node: limits, joins, error handling, locks, and how they read in the graph."""

from __future__ import annotations

from polyphony_schemas.graph.findings import Findings, join_pointer
from polyphony_schemas.graph.model import Join, Limits, Mutex, OnError, Retry
from polyphony_schemas.graph.sight import Sight, read_expression, read_template
from polyphony_schemas.melody import CountJoin, MutexScope, NodeBase
from polyphony_schemas.melody_config import LimitMap
from polyphony_schemas.melody_failures import OnError as OnErrorMap
from polyphony_schemas.melody_failures import Retry as RetryMap
from polyphony_schemas.melody_failures import SkipOutputs
from polyphony_schemas.scalars import parse_duration, parse_size


def milliseconds(text: str | None) -> int | None:
    """A duration that may be absent."""
    return None if text is None else parse_duration(text)


def size_in_bytes(text: str | None) -> int | None:
    """A size that may be absent."""
    return None if text is None else parse_size(text)


def read_limits(limits: LimitMap | None) -> Limits:
    """Bounds in milliseconds and bytes."""
    if limits is None:
        return Limits()
    return Limits(
        timeout_ms=milliseconds(limits.timeout),
        total_ms=milliseconds(limits.total),
        cpu_ms=milliseconds(limits.cpu),
        memory=size_in_bytes(limits.memory),
        output=size_in_bytes(limits.output),
        disk=size_in_bytes(limits.disk),
        processes=limits.processes,
        tokens=limits.tokens,
        usd=limits.usd,
    )


def read_join(node: NodeBase) -> Join:
    """``first`` is ``any`` that cancels the rest."""
    if isinstance(node.join, CountJoin):
        return Join("n", node.join.n, node.join.cancel)
    return Join(node.join, cancel=node.join == "first")


def read_mutex(node: NodeBase) -> Mutex | None:
    """A bare name is a lock among the nodes of one run."""
    if isinstance(node.mutex, MutexScope):
        return Mutex(node.mutex.name, node.mutex.scope)
    return None if node.mutex is None else Mutex(node.mutex)


def read_on_error(on_error: OnErrorMap | None, sight: Sight, pointer: str, findings: Findings) -> OnError:
    """What happens at a failure; without ``retry`` there is none, with ``retry: {}`` there are three."""
    if on_error is None:
        return OnError()
    inner = sight.plus("error")
    skip_outputs = None
    if isinstance(on_error.skip, SkipOutputs):
        place = join_pointer(pointer, "skip", "outputs")
        skip_outputs = read_template(on_error.skip.outputs, inner, place, findings)
    retry = None
    if on_error.retry is not None:
        retry = _read_retry(on_error.retry, inner, join_pointer(pointer, "retry"), findings)
    halt = None
    if on_error.halt is not None:
        halt = {"notify": list(on_error.halt.notify), "after_ms": milliseconds(on_error.halt.after)}
    return OnError(
        retry=retry,
        fallback=on_error.fallback,
        final="skip"
        if on_error.skip is not None
        else "compensate"
        if on_error.compensate is not None
        else "halt"
        if halt is not None
        else "fail",
        skip_outputs=skip_outputs,
        compensate=on_error.compensate,
        halt=halt,
    )


def _read_retry(retry: RetryMap, sight: Sight, pointer: str, findings: Findings) -> Retry:
    when = None
    if retry.when is not None:
        when = read_expression(retry.when, sight, join_pointer(pointer, "when"), findings)
    return Retry(
        max=retry.max,
        delay_ms=parse_duration(retry.delay),
        backoff=retry.backoff,
        factor=retry.factor,
        max_delay_ms=parse_duration(retry.max_delay),
        jitter=retry.jitter,
        when=when,
    )
