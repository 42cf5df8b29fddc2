"""What differs between two artifacts: text by line, JSON by place, folders by entry, anything else by size and digest."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_BYTES, Entry, decode
from polyphony_runner.runs.addresses import Found
from polyphony_schemas.values import JsonValue

Kind = Literal["same", "text", "json", "folder", "binary"]
# What is larger is not compared by its content, nor are longer texts and lists line by line and item by item.
_MOST_BYTES = 8 << 20
_MOST_LINES = 50_000
_MOST_ITEMS = 2_000
_CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs: a JSON pointer, or a path in a folder. ``then`` or ``now`` is None where it was not."""

    what: Literal["added", "removed", "changed"]
    place: str
    then: JsonValue = None
    now: JsonValue = None

    def to_json(self) -> dict[str, JsonValue]:
        """The object of ``artifacts diff --json``."""
        return {"change": self.what, "place": self.place, "then": self.then, "now": self.now}


@dataclass(frozen=True, slots=True)
class Differences:
    """What was found: ``lines`` of a unified diff for text, ``changes`` for JSON and folders."""

    kind: Kind
    lines: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


def differences(then: Found, now: Found) -> Differences:
    """Compare two artifacts; a folder with a folder only, else by their bytes."""
    if then.digest == now.digest:
        return Differences("same")
    if then.is_folder and now.is_folder:
        entries = (decode(one.read(limit=MAX_BYTES)) for one in (then, now))
        return Differences("folder", changes=tuple(_entries(*entries)))
    try:
        before, after = then.read(limit=_MOST_BYTES), now.read(limit=_MOST_BYTES)
    except ArtifactError as error:
        if error.code != "PLY2305":
            raise
        return Differences("binary")
    return _json(before, after) or _text(then.address, before, now.address, after) or Differences("binary")


def _json(before: bytes, after: bytes) -> Differences | None:
    """By place, where both are JSON objects or lists; None otherwise."""
    try:
        then, now = json.loads(before), json.loads(after)
        if not isinstance(then, dict | list) or type(then) is not type(now):
            return None
        changes = tuple(_values("", then, now))
    except (ValueError, RecursionError):
        return None
    return Differences("json", changes=changes) if changes else None


def _values(place: str, then: JsonValue, now: JsonValue) -> Iterator[Change]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in sorted(then.keys() | now.keys()):
            inner = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in now:
                yield Change("removed", inner, then=then[name])
            elif name not in then:
                yield Change("added", inner, now=now[name])
            else:
                yield from _values(inner, then[name], now[name])
    elif isinstance(then, list) and isinstance(now, list):
        yield from _items(place, then, now)
    elif then != now or isinstance(then, bool) is not isinstance(now, bool):
        yield Change("changed", place, then, now)


def _items(place: str, then: Sequence[JsonValue], now: Sequence[JsonValue]) -> Iterator[Change]:
    """Lists by their longest common parts; what was removed is named by its old index, anything else by the new one."""
    for tag, then_from, then_to, now_from, now_to in _blocks(then, now):
        if tag == "equal":
            continue
        both = min(then_to - then_from, now_to - now_from)
        for offset in range(both):
            inner = f"{place}/{now_from + offset}"
            yield from _values(inner, then[then_from + offset], now[now_from + offset])
        for index in range(then_from + both, then_to):
            yield Change("removed", f"{place}/{index}", then=then[index])
        for index in range(now_from + both, now_to):
            yield Change("added", f"{place}/{index}", now=now[index])


def _blocks(then: Sequence[JsonValue], now: Sequence[JsonValue]) -> Sequence[tuple[str, int, int, int, int]]:
    if max(len(then), len(now)) > _MOST_ITEMS:
        return [("replace", 0, len(then), 0, len(now))]
    before, after = ([json.dumps(item, sort_keys=True) for item in items] for items in (then, now))
    return difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _entries(then: Sequence[Entry], now: Sequence[Entry]) -> Iterator[Change]:
    before, after = ({entry.path: entry for entry in entries} for entries in (then, now))
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        what: Literal["added", "removed", "changed"] = "changed"
        if old is None or new is None:
            what = "added" if old is None else "removed"
        yield Change(what, path, _entry(old), _entry(new))


def _entry(entry: Entry | None) -> JsonValue:
    if entry is None:
        return None
    kinds = {"f": "file", "x": "program", "l": "link", "d": "folder"}
    if entry.kind in ("f", "x"):
        return {"kind": kinds[entry.kind], "digest": entry.target, "size": entry.size}
    return {"kind": kinds[entry.kind], **({"target": entry.target} if entry.kind == "l" else {})}


def _text(then: str, before: bytes, now: str, after: bytes) -> Differences | None:
    """By line, where both are UTF-8 text of a reasonable number of lines; None otherwise."""
    try:
        old, new = (data.decode().split("\n") for data in (before, after))
    except UnicodeDecodeError:
        return None
    if b"\0" in before or b"\0" in after or max(len(old), len(new)) > _MOST_LINES:
        return None
    lines = difflib.unified_diff(old, new, then, now, n=_CONTEXT_LINES, lineterm="")
    return Differences("text", lines=tuple(lines))
