"""Cancelling nodes, scopes, items and the run: marks what must end; ``decide`` and the shell end it."""

from __future__ import annotations

from polyphony_runner.conductor import mutexes
from polyphony_runner.conductor.awaiting import withdraw
from polyphony_runner.conductor.loops import pending
from polyphony_runner.conductor.state import Frame, Node, RunState


def cancel_node(state: RunState, node: Node, reason: str) -> None:
    """Cancel an unfinished node with everything inside; of a finished one what still runs unused inside."""
    if node.final:
        if node.loop is not None:
            _cancel_rest(state, node, reason)
            state.agenda.pop(node.path, None)  # there is no next round any more
            release(state, node)
        return
    if node.cancelling is not None:
        return
    node.cancelling = reason
    state.ready.pop(node.path, None)
    state.lookups.pop(node.path, None)
    state.rejections.pop(node.path, None)
    state.mail.outbox.pop(node.path, None)
    withdraw(state, node, consumed=False)
    if node.path in state.running:
        state.interrupts[node.path] = reason
        state.agenda.pop(node.path, None)
    elif node.phase == "handled":
        _cancel_handled(state, node, reason)
    elif node.loop is not None:
        _cancel_rest(state, node, reason)
        if pending(node) is not None:
            state.agenda[node.path] = "loop"
    else:
        state.agenda[node.path] = "cancel"


def cancel_frame(state: RunState, frame: Frame, reason: str) -> None:
    """Cancel every unfinished node of one round."""
    if frame.cancelling is None:
        frame.cancelling = reason
    for node in frame.nodes.values():
        cancel_node(state, node, reason)


def cancel_frames(state: RunState, node: Node, reason: str) -> None:
    """Cancel the rounds of a scope that are open."""
    if node.loop is not None:
        for frame in list(node.loop.frames.values()):
            cancel_frame(state, frame, reason)


def cancel_all(state: RunState, reason: str) -> None:
    """Cancel everything in the run."""
    if state.root is not None:
        cancel_frame(state, state.root, reason)


def release(state: RunState, node: Node) -> None:
    """Let the round of a scope end whose unused iterations are all over."""
    loop = node.loop
    if loop is not None and loop.holding and loop.running == 0 and loop.next >= loop.total:
        loop.holding = False
        state.agenda.pop(node.path, None)
        leave_round(state, node)


def leave_round(state: RunState, node: Node) -> None:
    """A node is over with all that belongs to it: its round may end, or what the handler was for goes on."""
    if node.spec.mutex is not None:
        mutexes.release(state, node)
    duty = node.duty
    if duty is None:
        node.frame.open -= 1
        if node.frame.open == 0:
            state.agenda[node.frame.path] = "end"
    elif duty.kind == "fallback":
        helped = node.phase == "succeeded" or duty.of.cancelling is None
        state.agenda[duty.of.path] = "adopt" if helped else "cancel"
    elif duty.kind == "compensate":
        leave_round(state, duty.of)
    else:
        state.agenda[node.path] = "undone"


def _cancel_handled(state: RunState, node: Node, reason: str) -> None:
    """A node whose fallback is at work is cancelled as soon as that is."""
    handler = node.handler
    if handler is not None and not handler.final:
        cancel_node(state, handler, reason)
    elif handler is None or handler.phase != "succeeded":
        state.agenda[node.path] = "cancel"


def _cancel_rest(state: RunState, node: Node, reason: str) -> None:
    cancel_frames(state, node, reason)
    if node.loop is not None:
        node.loop.next = node.loop.total
