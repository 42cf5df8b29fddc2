"""``mutex`` (docs/melody.md, Locks): who holds which lock, who waits, in the order in which the journal says they came.

A lock of scope ``run`` is state and nothing else. One of scope ``melody`` is besides held by the process that executes
the run, against other runs on the same journal store: the state says which ones are needed (``shared``), the shell
gets them, and ``Moment.locks`` says which it has.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Lock, Node, RunState
from polyphony_schemas.graph.model import Mutex
from polyphony_schemas.values import JsonValue


def wait_for(state: RunState, node: Node, moment: Moment) -> Draft | None:
    """The event with which a node that may begin waits for its lock; None when it has it, can take it, or needs none."""
    mutex = node.spec.mutex
    if mutex is None:
        return None
    key = key_of(state, node, mutex)
    lock = state.locks.get(key)
    if lock is not None and _lent(node, lock):
        return None
    data: dict[str, JsonValue] = {"for": "mutex", "name": mutex.name, "scope": mutex.scope}
    if lock is not None and lock.holder != node.path:
        return Draft("node.waiting", node.path, None, {**data, "holder": lock.holder})
    if mutex.scope == "melody" and moment.locks.get(key) != node.path:
        return Draft("node.waiting", node.path, None, data)
    return None


def queue(state: RunState, node: Node) -> None:
    """A node waits for its lock: as the last one, or, when no node of this run has it, for other runs."""
    mutex = node.spec.mutex
    state.agenda.pop(node.path, None)
    if mutex is None:
        return
    key = key_of(state, node, mutex)
    lock = state.locks.setdefault(key, Lock(node.path))
    if lock.holder != node.path:
        lock.queue.append(node.path)
    elif mutex.scope == "melody":
        state.shared[key] = state.wanted[key] = node.path


def take(state: RunState, node: Node) -> None:
    """A node begins: its lock is its own, until ``release``."""
    mutex = node.spec.mutex
    if mutex is None:
        return
    key = key_of(state, node, mutex)
    lock = state.locks.setdefault(key, Lock(node.path))
    if lock.holder == node.path:
        state.wanted.pop(key, None)


def release(state: RunState, node: Node) -> None:
    """A node is over with all that belongs to it: the next one in the queue may begin."""
    mutex = node.spec.mutex
    key = "" if mutex is None else key_of(state, node, mutex)
    lock = state.locks.get(key)
    if lock is None or lock.holder != node.path:
        return
    state.shared.pop(key, None)
    state.wanted.pop(key, None)
    while lock.queue:
        follower = state.nodes[lock.queue.popleft()]
        if follower.phase == "waiting" and follower.cancelling is None:
            lock.holder = follower.path
            state.agenda[follower.path] = "begin"
            return
    del state.locks[key]


def granted(state: RunState, locks: Mapping[str, str]) -> Node | None:
    """A node that waited for other runs, and whose lock the shell now has."""
    for key, path in state.wanted.items():
        if locks.get(key) == path:
            return state.nodes[path]
    return None


def regaining(state: RunState, locks: Mapping[str, str]) -> bool:
    """Whether a lock that the journal gives to this run is not yet this process's: it was taken up a moment ago."""
    if not state.shared or state.ending is not None:
        return False
    return any(locks.get(key) != path for key, path in state.shared.items() if key not in state.wanted)


def key_of(state: RunState, node: Node, mutex: Mutex) -> str:
    """The lock's name; one of scope ``melody`` carries the name of the package that the node belongs to."""
    if mutex.scope == "run":
        return mutex.name
    return f"{_package_of(state, node)}:{mutex.name}"


def group_key(state: RunState, group: str) -> str:
    """The name of the lock that a run of this concurrency group holds from its start to its end."""
    return f"{state.melody.name}:group {group}"


def _package_of(state: RunState, node: Node) -> str:
    owner = node.frame.owner
    while owner is not None and owner.spec.kind != "melody":
        owner = owner.frame.owner
    if owner is None:
        return state.melody.name
    uses = owner.spec.package or ""
    packages = state.created.get("packages")
    known = packages.get(uses) if isinstance(packages, Mapping) else None
    name = str(known.get("name", "")) if isinstance(known, Mapping) else uses.partition("@")[0]
    return name.rpartition("/")[2]


def _lent(node: Node, lock: Lock) -> bool:
    """Whether a scope around the node, or the node that it handles, holds the lock for it."""
    one: Node | None = node
    while one is not None:
        one = one.duty.of if one.duty is not None else one.frame.owner
        if one is not None and one.path == lock.holder:
            return True
    return False
