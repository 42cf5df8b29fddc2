"""A node meets what it waits for, or stops waiting: what both mean for the state."""

from __future__ import annotations

from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.state import Node, RunState


def deliver(state: RunState, node: Node, signal: Signal) -> None:
    """A waiting node gets a signal: it may end with it."""
    if node.wait is not None:
        state.mail.stop(signal.name, node.path)
        node.wait.signal = signal
        state.agenda[node.path] = "deliver"


def withdraw(state: RunState, node: Node, *, consumed: bool) -> None:
    """A node waits no longer. A persistent signal that it got and did not consume is there for the next one."""
    wait = node.wait
    if wait is None:
        return
    node.wait = None
    state.awaiting.pop(node.path, None)
    state.mail.stop(wait.name, node.path)
    if wait.signal is None or consumed or not wait.signal.persistent:
        return
    following = state.mail.longest(wait.name)
    if following is not None:
        deliver(state, state.nodes[following], wait.signal)
    else:
        state.mail.keep(wait.signal)
