"""A ``for_each`` while it runs: items that signals add, and its completion from outside (docs/melody.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from polyphony_runner.conductor.loops import attend
from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.state import LoopState, Node, RunState
from polyphony_runner.conductor.values import load
from polyphony_schemas.values import JsonValue


def refusal(node: Node, payload: JsonValue) -> str:
    """Why a map cannot take a signal with this payload; empty when it can."""
    keys = set(payload) if isinstance(payload, Mapping) else set()
    completes = isinstance(payload, Mapping) and payload.get("complete") is True
    if keys != {"item"} and not (keys == {"complete"} and completes):
        return f"{node.path} takes a payload of {{item: …}} or {{complete: true}}, got {payload!r}"
    if is_over(node):
        return f"{node.path} is over: it takes no signal any more"
    most = node.loop.max if node.loop is not None else node.header.max
    held = node.loop.total if node.loop is not None else len(node.added)
    bounded = node.loop is not None or node.header.max_from is None
    if keys == {"item"} and bounded and held >= most:
        return f"{node.path} has {held} items, the scope allows {most}"
    return ""


def is_over(node: Node) -> bool:
    """Whether a map takes no more items: it is over, closing, or its last item has ended."""
    loop = node.loop
    if node.final or node.cancelling is not None:
        return True
    if loop is None:
        return False
    idle = loop.running == 0 and loop.next >= loop.total
    return loop.closed is not None or loop.complete or (idle and not node.header.open)


def receive(state: RunState, node: Node, signal: Signal) -> None:
    """Add the item, or complete the map; before it has opened a persistent signal is kept for then."""
    payload = load(signal.payload, state.reader)
    if not isinstance(payload, Mapping) or (node.loop is None and not signal.persistent):
        return
    loop = node.loop
    if "item" in payload:
        node.added.append(payload["item"])
        if loop is not None:
            loop.total += 1
            loop.results.append(None)
    elif loop is None:
        node.completed = True
    else:
        loop.complete = True
    if loop is not None:
        attend(state, node)


def item_of(state: RunState, node: Node, loop: LoopState, index: int) -> JsonValue:
    """One item; a long list lies among the artifacts and is read once. Added ones come after those of the list."""
    given = loop.total - len(node.added)
    if index >= given:
        return load(node.added[index - given], state.reader)
    items = load(loop.items, state.reader)
    loop.items = items
    return items[index] if isinstance(items, Sequence) else None
