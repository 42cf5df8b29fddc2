"""Signals (docs/melody.md): whom one reaches, and what its event means.

A signal whose name is the id of a ``for_each`` in sight of its sender goes to that; any other goes to the node that
has waited longest for the name, else it is kept when it is persistent, else dropped. ``signal.received`` says by its
``node`` whom it reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polyphony_runner.conductor import maps
from polyphony_runner.conductor.awaiting import deliver
from polyphony_runner.conductor.directives import DirectiveError, check_inputs, given
from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Frame, Node, RunState
from polyphony_runner.conductor.values import value_in
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject, JsonValue


def send(state: RunState, node: Node, moment: Moment) -> Draft:
    """What ``core/signal`` does: first the signal's event, then its own success."""
    del moment
    if node.sent == node.attempt:
        return Draft("node.succeeded", node.path, node.attempt, {"outputs": {}})
    values = check_inputs(node.spec.inputs, given(state, node))
    identity = f"{state.created.get('run', '')}/{node.path}#{node.attempt}"
    draft = signal_draft(
        state,
        node.frame,
        name=str(values["name"]),
        payload=values.get("payload"),
        persistent=values.get("persistent") is not False,
        identity=identity,
        source={"node": node.path},
    )
    return Draft(draft.type, draft.node, None, {**draft.data, "to": values.get("to", "run")})


def signal_draft(
    state: RunState,
    frame: Frame | None,
    *,
    name: str,
    payload: JsonValue,
    persistent: bool,
    identity: str,
    source: JsonObject,
) -> Draft:
    """The event of a signal that is sent from a frame. ``DirectiveError`` when it addresses a map that cannot take it."""
    data: dict[str, JsonValue] = {
        "name": name,
        "payload": payload,
        "persistent": persistent,
        "from": dict(source),
        "id": identity,
    }
    addressed = addressed_map(state, frame, name)
    if addressed is not None:
        refusal = maps.refusal(addressed, payload)
        if refusal:
            raise DirectiveError("PLY2600", refusal, hint="polyphony show RUN shows what is still open")
        return Draft("signal.received", addressed.path, None, data)
    return Draft("signal.received", state.mail.longest(name), None, data)


def addressed_map(state: RunState, frame: Frame | None, name: str) -> Node | None:
    """The ``for_each`` that a name means, looked up from the frame outwards as far as the same melody goes.

    From outside a path such as ``region/each`` may be given too.
    """
    node = state.nodes.get(name) if not name.isidentifier() else None
    while node is None and frame is not None:
        node = frame.nodes.get(name)
        owner = frame.owner
        frame = None if owner is None or owner.spec.kind == "melody" else owner.frame
        if node is not None and node.spec.kind != "for_each":
            node = None
    return node if node is not None and node.spec.kind == "for_each" else None


def received(state: RunState, event: Event) -> None:
    """Hand a signal to whom it reached, keep it, or drop it; its sender may go on."""
    data = event.data
    source = data.get("from")
    signal = Signal(
        event.seq,
        str(data["id"]),
        str(data["name"]),
        value_in(data, "payload"),
        data.get("persistent") is not False,
        source if isinstance(source, Mapping) else {},
    )
    state.mail.seen.add(signal.id)
    _sent(state, signal, everywhere=data.get("to") == "melody")
    if event.node is None:
        if signal.persistent:
            state.mail.keep(signal)
        return
    node = state.nodes.get(event.node)
    if node is not None and node.spec.kind == "for_each":
        maps.receive(state, node, signal)
    elif node is not None and node.wait is not None and node.wait.name == signal.name and not node.wait.over:
        deliver(state, node, signal)
    else:
        raise JournalError(
            "PLY2105", f"event {event.seq}: a signal for {event.node!r}, which does not wait for it"
        )


def _sent(state: RunState, signal: Signal, *, everywhere: bool) -> None:
    if "run" in signal.source:
        return
    sender = state.nodes.get(str(signal.source.get("node", "")))
    if sender is None or sender.phase != "running":
        return
    sender.sent = sender.attempt
    if everywhere and sender.cancelling is None:
        state.agenda.pop(sender.path, None)
        state.mail.outbox[sender.path] = signal


HANDLERS: dict[str, Callable[[RunState, Event], None]] = {"signal.received": received}
