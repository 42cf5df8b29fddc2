"""Large values between journal and artifacts: stored when an event is written, read when an expression asks."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping

from polyphony_runner.artifacts.store import ArtifactStore
from polyphony_runner.conductor.values import CONTAINERS, INLINE_BYTES, SINGLE_VALUES, Stored
from polyphony_schemas.values import JsonObject, JsonValue

_CACHED_VALUES = 256
_MAY_BE_LARGE = (*CONTAINERS, *SINGLE_VALUES)
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class ValueStore:
    """A ``ValueReader`` over an artifact store, with the values used last kept in memory."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._cache: OrderedDict[str, JsonValue] = OrderedDict()

    def load(self, stored: Stored) -> JsonValue:
        """The value behind a digest."""
        if stored.digest in self._cache:
            self._cache.move_to_end(stored.digest)
            return self._cache[stored.digest]
        value: JsonValue = json.loads(self._artifacts.read(stored.digest))
        self._remember(stored.digest, value)
        return value

    def store(self, value: JsonValue) -> dict[str, JsonValue]:
        """Keep a value; the mark for it in an event."""
        kept = self._artifacts.put_bytes(value_bytes(value))
        self._remember(kept.digest, value)
        return {"digest": kept.digest, "size": kept.size}

    def outside(self, data: JsonObject) -> JsonObject:
        """Event data in which every value over 16 KiB lies among the artifacts, under ``stored`` by pointer."""
        if not any(data.get(name) for name in _MAY_BE_LARGE) or len(_ENCODE(data)) <= INLINE_BYTES:
            return data
        already = data.get("stored")
        kept: dict[str, JsonValue] = dict(already) if isinstance(already, Mapping) else {}
        slim: dict[str, JsonValue] = dict(data)
        for container in CONTAINERS:
            values = data.get(container)
            if isinstance(values, Mapping):
                large = [name for name, value in values.items() if len(_ENCODE(value)) > INLINE_BYTES]
                if large:
                    slim[container] = {name: value for name, value in values.items() if name not in large}
                    kept |= {f"/{container}/{name}": self.store(values[name]) for name in large}
        for name in SINGLE_VALUES:
            if len(_ENCODE(data.get(name))) > INLINE_BYTES:
                kept[f"/{name}"] = self.store(data[name])
                slim[name] = None
        return {**slim, "stored": kept} if kept else slim

    def _remember(self, digest: str, value: JsonValue) -> None:
        self._cache[digest] = value
        if len(self._cache) > _CACHED_VALUES:
            self._cache.popitem(last=False)


def value_bytes(value: JsonValue) -> bytes:
    """The bytes under which a value is kept: their SHA-256 is its digest, wherever it lies."""
    return _ENCODE(value).encode("utf-8", "surrogatepass")
