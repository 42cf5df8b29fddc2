"""From a dead tree to an outcome: how it ended, what it said, which files it left, what is applied to the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from polyphony_runner.artifacts import ArtifactStore
from polyphony_runner.runtimes.answers import asks_for_diff, misfit
from polyphony_runner.runtimes.events import LineReader
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.host_view import on_host
from polyphony_runner.runtimes.launch import Launched
from polyphony_runner.runtimes.outputs import Collector
from polyphony_runner.runtimes.protocol import NodeEvent, Sink, Success
from polyphony_runner.runtimes.request import bounds, merged
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.host_places import HostPlaces
from polyphony_runner.sandbox.spec import Exit
from polyphony_schemas.graph.port_values import check_outputs
from polyphony_schemas.program import CommandStart
from polyphony_schemas.values import ErrorKind, JsonObject, JsonValue

if TYPE_CHECKING:
    from polyphony_runner.runtimes.sandboxed import Attempt

_TAIL = 4096
PATCH = "changes.diff"
# What the runner or the kernel decided: a status of the program's own choosing does not excuse these.
_DECIDED = frozenset({"timeout", "output", "cancelled", "unavailable", "memory", "cpu"})


async def finish(attempt: Attempt, launched: Launched, store: ArtifactStore, sink: Sink) -> Success:
    """The outputs of a node that succeeded. NodeError for one that did not."""
    reader = launched.reader
    for note in launched.ended.notes:
        sink(NodeEvent("log", {"level": "debug", "message": note}))
    bound = bounds(merged(attempt.assignment.limits, attempt.prepared.limits), attempt.times.wall).disk
    collector = Collector(store, launched.work, attempt.masker, frozenset(_digests(attempt)), bound)
    run = attempt.prepared.start
    if isinstance(run, CommandStart):
        _judge_command(launched.ended, run, attempt)
        outputs = await in_thread(_command_outputs, launched.ended, collector)
    else:
        _judge(launched.ended, reader, attempt)
        outputs = dict(reader.outcome())
    ports = attempt.prepared.outputs
    artifacts: tuple[Mapping[str, JsonValue], ...] = ()
    if reader.files or attempt.prepared.has_file_outputs:
        outputs |= await in_thread(collector.ports, ports, reader.files, outputs)
        artifacts = await in_thread(collector.free, ports, reader.files)
    if attempt.level == "landlock":
        outputs = {
            name: on_host(value, HostPlaces.at(launched.work, ()).inside) for name, value in outputs.items()
        }
    outputs = {name: attempt.plan.relative(value) for name, value in outputs.items()}
    result, wrong = check_outputs(ports, outputs, attempt.assignment.task)
    if wrong is None and asks_for_diff(attempt.assignment):
        wrong = await in_thread(misfit, ports, result, attempt.assignment)
    if wrong:
        hint = "mend what the node returns, or its outputs in extension.yaml"
        raise NodeError("validation", "PLY3504", wrong, hint=hint, retryable=True)
    if attempt.plan.has_copies:
        applied = await in_thread(attempt.plan.apply, launched.work)
        for line in applied.lines:
            sink(NodeEvent("log", {"level": "info", "message": line}))
        if applied.patch:
            artifacts = (*artifacts, await in_thread(_kept_patch, applied.patch, attempt, store))
    return Success(result, artifacts)


def _kept_patch(patch: str, attempt: Attempt, store: ArtifactStore) -> JsonObject:
    """What the node changed on the host, for people to read later."""
    kept = store.put_bytes(attempt.masker.text(patch).encode())
    return {"digest": kept.digest, "name": PATCH, "media_type": "text/x-diff", "size": kept.size}


def _judge(ended: Exit, reader: LineReader, attempt: Attempt) -> None:
    """Limits and signals first, then the status, unless the node itself said what went wrong."""
    settled = reader.settles and reader.outputs is not None
    if ended.kind is None or (ended.kind == "exit" and reader.error is not None):
        return
    if settled and ended.kind in ("exit", "crash"):  # it was told to go: how it went is nobody's concern
        return
    raise _failure(ended, attempt)


def _judge_command(ended: Exit, run: CommandStart, attempt: Attempt) -> None:
    accepted = ended.status in run.ok and (ended.kind is None or ended.kind not in _DECIDED)
    if not accepted:
        raise _failure(ended, attempt)


def _failure(ended: Exit, attempt: Attempt) -> NodeError:
    tail = attempt.masker.text(ended.stderr)[-_TAIL:].strip()
    kind = cast("ErrorKind", ended.kind or "exit")
    message = ended.message or f"the program ended with status {ended.status}"
    return NodeError(kind, "PLY3505", attempt.masker.text(message), trace=tail or None)


def _command_outputs(ended: Exit, collector: Collector) -> dict[str, JsonValue]:
    return {
        "stdout": collector.text("stdout", ended.stdout),
        "stderr": collector.text("stderr", ended.stderr.encode()),
        "status": ended.status if ended.status is not None else 0,
    }


def _digests(attempt: Attempt) -> Iterator[str]:
    pending: list[JsonValue] = list(attempt.assignment.inputs.values()) if attempt.plan.mounts else []
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("digest"), str):
                yield str(value["digest"])
            pending.extend(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            pending.extend(value)
