"""The compiled graph as JSON and back, without loss: what the store keeps beside a melody.

Needs nothing but the graph model: reading one imports neither the YAML reader nor jsonschema. Fields that have
their default are left out. A document of another version is refused, and the melody compiled again.

    >>> melody = CompiledMelody("m", "1.0.0", Graph({"a": GraphNode("a", "core", uses="core/set")}, ()), {}, {})
    >>> from_json(to_json(melody)) == melody
    True
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.model import (
    CompiledMelody,
    Edge,
    Expression,
    Graph,
    GraphNode,
    Join,
    Limits,
    Loop,
    Mutex,
    OnError,
    Port,
    Retry,
    Template,
)
from polyphony_schemas.values import JsonValue

VERSION = 1
UNREADABLE = "PLY1630"

T = TypeVar("T")
_Decode = Callable[[Any], Any]


def dumps(melody: CompiledMelody) -> bytes:
    """The bytes that the store keeps."""
    return json.dumps(to_json(melody), ensure_ascii=False, separators=(",", ":")).encode()


def loads(data: bytes) -> CompiledMelody:
    """Read what ``dumps`` wrote; raises FormatError (PLY1630)."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _unreadable(str(error)) from None
    return from_json(document)


def to_json(melody: CompiledMelody) -> dict[str, JsonValue]:
    """The graph as a JSON value."""
    return {"graph": VERSION, "melody": encode(melody)}


def from_json(document: Any) -> CompiledMelody:
    """The graph of a JSON value; raises FormatError (PLY1630) when it is none, or of another version."""
    if not isinstance(document, Mapping) or document.get("graph") != VERSION:
        raise _unreadable("another version")
    try:
        return _decode(CompiledMelody)(document["melody"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(f"{type(error).__name__}: {error}") from None


def _unreadable(why: str) -> FormatError:
    return FormatError(
        UNREADABLE, f"got a compiled graph that cannot be read ({why})", hint="compile the melody again"
    )


class BadShapeError(ValueError):
    """A kept value has not the shape that was written."""


def encode(value: Any) -> Any:
    """A value of the model as JSON: dataclasses as objects without the fields that have their default."""
    if isinstance(value, Template):
        places = [[list(place), encode(found)] for place, found in value.expressions.items()]
        return {"value": value.value, **({"expressions": places} if places else {})}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(found)
            for field in fields(value)
            if not _is_default(field, found := getattr(value, field.name))
        }
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def _is_default(field: Any, value: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return type(value) is type(default) and bool(value == default)


def _decode(kind: type[T]) -> Callable[[Mapping[str, Any]], T]:
    """Reads one dataclass; fields that ``_FIELDS`` does not name are plain JSON."""

    def decode(document: Mapping[str, Any]) -> T:
        return decode_fields(kind, document, _FIELDS.get(kind, {}))

    return decode


def decode_fields(kind: type[T], document: Mapping[str, Any], special: Mapping[str, _Decode] = {}) -> T:
    """One dataclass of what ``encode`` gave; fields that ``special`` does not name are plain JSON."""
    return kind(
        **{name: special[name](value) if name in special else value for name, value in document.items()}
    )


def _optional(decode: _Decode) -> _Decode:
    return lambda value: None if value is None else decode(value)


def _many(decode: _Decode) -> _Decode:
    return lambda value: tuple(decode(item) for item in value)


def _by_name(decode: _Decode) -> _Decode:
    return lambda value: {name: decode(item) for name, item in value.items()}


def _template(document: Mapping[str, Any]) -> Template:
    places = {tuple(place): _expression(found) for place, found in document.get("expressions", ())}
    return Template(document["value"], places)


def _expression(document: Mapping[str, Any]) -> Expression:
    references = tuple((node, port) for node, port in document.get("references", ()))
    return Expression(document["source"], references, document.get("pointer", ""))


_TEMPLATES = _by_name(_template)
decode_port = _optional(_decode(Port))
decode_ports = _by_name(_decode(Port))
_NODE_FIELDS: dict[str, _Decode] = {
    "values": _TEMPLATES,
    "inputs": decode_ports,
    "any_inputs": decode_port,
    "outputs": decode_ports,
    "task": _TEMPLATES,
    "conditions": _many(_expression),
    "when": _optional(_expression),
    "join": _decode(Join),
    "on_error": _decode(OnError),
    "limits": _decode(Limits),
    "permissions": _TEMPLATES,
    "declared": _TEMPLATES,
    "granted": frozenset,
    "mutex": _optional(_decode(Mutex)),
    "loop": _optional(_decode(Loop)),
    "body": _optional(_decode(Graph)),
    "scope_outputs": _TEMPLATES,
}


def _melodies(document: Mapping[str, Any]) -> dict[str, CompiledMelody]:
    return {key: _decode(CompiledMelody)(one) for key, one in document.items()}


_FIELDS: dict[type, dict[str, _Decode]] = {
    CompiledMelody: {
        "melodies": _melodies,
        "graph": _decode(Graph),
        "inputs": decode_ports,
        "outputs": _TEMPLATES,
        "ceiling": _TEMPLATES,
        "extensions": _optional(tuple),
        "limits": _decode(Limits),
        "features": frozenset,
        "contacts": frozenset,
    },
    Graph: {"nodes": _by_name(_decode(GraphNode)), "edges": _many(_decode(Edge))},
    GraphNode: _NODE_FIELDS,
    Edge: {"when": _optional(_expression)},
    OnError: {
        "retry": _optional(_decode(Retry)),
        "fallback": tuple,
        "skip_outputs": _optional(_template),
    },
    Retry: {"when": _optional(_expression)},
    Loop: {
        "items": _optional(_template),
        "complete_when": _optional(_expression),
        "condition": _optional(_expression),
        "max_from": _optional(_template),
        "parallel_from": _optional(_template),
        "state": _TEMPLATES,
        "next": _TEMPLATES,
    },
}
