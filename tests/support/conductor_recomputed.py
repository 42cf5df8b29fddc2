"""What the state of a run keeps up to date event by event, computed again from what it follows from."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_runner.conductor.state import DEAD, LIVE, WAITING, Frame, Node, RunState


def check_recomputed(state: RunState) -> None:
    """Every counter and every table agrees with the phases of the nodes and the connections of the rounds."""
    if state.finished:
        return
    nodes = state.nodes

    def paths(holds: Callable[[Node], bool]) -> set[str]:
        return {path for path, node in nodes.items() if holds(node)}

    for frame in state.frames.values():
        _check_frame(frame)
    programs = paths(lambda node: node.phase == "running" and not node.is_scope and node.spec.kind != "core")
    # an attempt that was lost while it was being cancelled has no more than its end before it
    ending = {path for path in programs if state.agenda.get(path) == "cancel"}
    assert set(state.running) == programs - ending
    assert {*state.ready, *state.lookups, *state.in_line} >= paths(
        lambda node: node.phase == "ready" and node.cancelling is None
    )
    assert set(state.awaiting) >= paths(lambda node: node.phase == "awaiting" and node.cancelling is None)
    waiters = {(name, path) for name, waiting in state.mail.waiters.items() for path in waiting}
    assert waiters == {
        (node.wait.name, path)
        for path, node in nodes.items()
        if node.wait is not None and node.wait.kind == "signal" and not node.wait.over
    }
    assert state.interrupts.keys() <= state.running.keys()
    for node in nodes.values():
        if node.loop is not None and not node.final:
            assert node.loop.running == len(node.loop.frames), node.path
    _check_locks(state)


def _check_frame(frame: Frame) -> None:
    for name in frame.plan.started_by_routing:
        node = frame.nodes[name]
        states = {index: frame.edges[index] for index in frame.plan.incoming[name]}
        assert node.waiting == sum(state == WAITING for state in states.values()), node.path
        assert node.dead == sum(state == DEAD for state in states.values()), node.path
        assert sorted(node.live) == [index for index, state in states.items() if state == LIVE], node.path
        for index in states:
            source = frame.nodes[frame.plan.edges[index].source]
            assert (frame.edges[index] == WAITING) == (not source.final), source.path
    assert frame.open == sum(not _has_left(frame.nodes[name]) for name in frame.plan.started_by_routing), (
        frame.path
    )


def _has_left(node: Node) -> bool:
    """Whether a node is over with all that belongs to it: iterations that run on unused, and what cleans up after it."""
    if not node.final or (node.loop is not None and node.loop.holding):
        return False
    handler = node.handler
    if node.phase != "failed" or handler is None or handler.duty is None or handler.duty.kind != "compensate":
        return True
    return _has_left(handler)


def _check_locks(state: RunState) -> None:
    for lock in state.locks.values():
        holder = state.nodes[lock.holder]
        assert holder.spec.mutex is not None
        assert not _has_left(holder), f"{holder.path} holds a lock and is over"
