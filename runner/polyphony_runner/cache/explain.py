"""``polyphony explain``: whether a node's result was found, and what differed from what was asked for before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from polyphony_runner.cache.store import FolderResults, KnownKey
from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue

Outcome = Literal["hit", "miss", "not looked up"]
# Earlier keys of one extension that are compared.
_MOST_KEYS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the key that is not what it was. None where the part was or is missing."""

    part: str
    now: JsonValue
    then: JsonValue


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a node was executed, or was not.

    ``source`` is who computed (a hit) or who asked for the nearest earlier key (a miss): ``run node at``.
    """

    node: str
    outcome: Outcome
    reason: str
    key: str | None = None
    source: JsonObject | None = None
    differences: tuple[Difference, ...] = field(default=())

    def to_json(self) -> dict[str, JsonValue]:
        """The document of ``explain --json``."""
        differences: list[JsonValue] = [
            {"part": one.part, "now": one.now, "then": one.then} for one in self.differences
        ]
        source = None if self.source is None else dict(self.source)
        return {
            "node": self.node,
            "outcome": self.outcome,
            "reason": self.reason,
            "key": self.key,
            "source": source,
            "differences": differences,
        }


def explain(folder: RunFolder, state: RunState, node: str, home: Home) -> Explanation:
    """What the cache meant to a node of a run; PLY2419 when the run has no such node."""
    found = state.nodes.get(node)
    if found is None:
        raise RunError(
            "PLY2419",
            f"the run {folder.run!r} has no node {node!r}",
            hint=did_you_mean(node, state.nodes) or f"polyphony show {folder.run}",
        )
    store = FolderResults(home.cache / "results")
    last = _last_answer(folder, node)
    if last is None or not ({"key", "no_key"} & last.data.keys()):
        return Explanation(node, "not looked up", _without_lookup(found, state, last))
    if "no_key" in last.data:
        return Explanation(node, "not looked up", str(last.data["no_key"]))
    key = str(last.data["key"])
    if last.type == "node.succeeded":
        entry = store.read(key)
        return Explanation(
            node, "hit", "the same content was computed before", key, None if entry is None else entry.made
        )
    package = folder.record().packages.get(found.spec.package or "")
    return _miss(node, key, package.name if package is not None else "", folder, store)


def _last_answer(folder: RunFolder, node: str) -> Event | None:
    """The event that says how the last lookup ended: a hit, or the start of an attempt."""
    last = None
    for event in read_journal(folder.journal):
        cached = event.type == "node.succeeded" and event.data.get("cached") is True
        if event.node == node and (cached or event.type == "node.started"):
            last = event
    return last


def _without_lookup(node: Node, state: RunState, last: Event | None) -> str:
    if node.spec.kind != "extension":
        return f"{node.spec.kind} nodes are no programs: nothing of them is cached"
    if not node.spec.pure:
        return f"the extension {node.spec.package!r} does not say that it is pure"
    if not state.caching:
        return "the run was started with --no-cache"
    if last is None:
        return f"it never came so far: {node.status}"
    return "this run was executed where no cache is"


def _miss(node: str, key: str, extension: str, folder: RunFolder, store: FolderResults) -> Explanation:
    known = list(islice(store.keys(extension), _MOST_KEYS))
    own = next((one for one in known if one.key.digest == key), None)
    if own is None:
        return Explanation(node, "miss", "nothing was kept for this key, and its parts are gone", key)
    if (own.asked.get("run"), own.asked.get("node")) != (folder.run, node):
        reason = (
            "the same content was asked for before, but no result was kept: that node failed, its inputs changed "
            "while it ran, another was faster, or the entry was damaged or removed"
        )
        return Explanation(node, "miss", reason, key, own.asked)
    earlier = [one for one in known if one is not own and _at(one) <= _at(own)]
    if not earlier:
        return Explanation(node, "miss", "this extension was never asked for a result before", key)
    nearest = min(earlier, key=lambda one: _distance(own, one))
    return Explanation(node, "miss", "no result has this key", key, nearest.asked, _differences(own, nearest))


def _distance(own: KnownKey, other: KnownKey) -> tuple[bool, int, int]:
    """The same node first, then few differences, then the newest."""
    elsewhere = own.asked.get("node") != other.asked.get("node")
    return elsewhere, len(_differences(own, other)), -_at(other)


def _differences(own: KnownKey, other: KnownKey) -> tuple[Difference, ...]:
    now, then = own.key.parts, other.key.parts
    return tuple(
        Difference(name, now.get(name), then.get(name))
        for name in sorted({*now, *then})
        if name not in now or name not in then or now[name] != then[name]
    )


def _at(known: KnownKey) -> int:
    at = known.asked.get("at")
    return at if isinstance(at, int) else 0


def shown(value: JsonValue) -> str:
    """A part of a key for people: long values stand by the beginning of their digest."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping) and {"sha256", "size"} == value.keys():
        return f"{value['size']} bytes {str(value['sha256'])[:12]}…"
    if isinstance(value, str) and len(value) >= 64:
        return f"{value[:12]}…" if ":" not in value else f"{value.rpartition(':')[2][:12]}…"
    import json

    return json.dumps(value, ensure_ascii=False)
