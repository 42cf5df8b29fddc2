"""Values as the state holds them: small ones inline, large ones by digest, read when an expression needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from polyphony_schemas.values import JsonObject, JsonValue

# A value whose JSON is longer lies among the artifacts.
INLINE_BYTES = 16 * 1024
# The maps in an event's data whose entries may be stored outside, and the values that may be so themselves.
CONTAINERS = ("inputs", "parameters", "task", "permissions", "outputs", "state", "next", "ceiling")
SINGLE_VALUES = ("items", "payload")


@dataclass(frozen=True, slots=True)
class Stored:
    """A JSON value kept as an artifact: the digest and number of its bytes."""

    digest: str
    size: int


Value: TypeAlias = "JsonValue | Stored"
Values: TypeAlias = Mapping[str, Value]


class ValueReader(Protocol):
    """Reads stored values. The same digest always gives the same value, so reading is no side effect."""

    def load(self, stored: Stored) -> JsonValue:
        """The value behind a digest."""
        ...


def values_in(data: JsonObject, container: str) -> dict[str, Value]:
    """The map ``data[container]`` with what lies outside marked as ``Stored``."""
    inline = data.get(container)
    found: dict[str, Value] = dict(inline) if isinstance(inline, Mapping) else {}
    outside = data.get("stored")
    if isinstance(outside, Mapping):
        prefix = f"/{container}/"
        for pointer, reference in outside.items():
            if pointer.startswith(prefix) and isinstance(reference, Mapping):
                found[pointer.removeprefix(prefix)] = stored_of(reference)
    return found


def data_of(container: str, values: Values) -> dict[str, JsonValue]:
    """The event data that ``values_in`` reads as these values: what lies outside stays there."""
    inline = {name: value for name, value in values.items() if not isinstance(value, Stored)}
    outside: dict[str, JsonValue] = {
        f"/{container}/{name}": {"digest": value.digest, "size": value.size}
        for name, value in values.items()
        if isinstance(value, Stored)
    }
    return {container: inline, **({"stored": outside} if outside else {})}


def value_in(data: JsonObject, key: str) -> Value:
    """The single value ``data[key]``, which may lie outside."""
    outside = data.get("stored")
    if isinstance(outside, Mapping) and isinstance(reference := outside.get(f"/{key}"), Mapping):
        return stored_of(reference)
    return data.get(key)


def stored_of(reference: JsonObject) -> Stored:
    """The mark in an event as a value."""
    return Stored(str(reference["digest"]), int(str(reference["size"])))


def loaded(values: Values, reader: ValueReader) -> dict[str, JsonValue]:
    """All values, the stored ones read."""
    return {
        name: reader.load(value) if isinstance(value, Stored) else value for name, value in values.items()
    }


def load(value: Value, reader: ValueReader) -> JsonValue:
    """One value, read when it is stored."""
    return reader.load(value) if isinstance(value, Stored) else value


def picked(values: Values, names: Iterable[str], reader: ValueReader) -> dict[str, JsonValue]:
    """The named values that are there."""
    return {name: load(values[name], reader) for name in names if name in values}
