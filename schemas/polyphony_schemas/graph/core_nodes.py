"""The nodes of the Conductor itself, described like packages, so that the same checks hold for them (docs/melody.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyphony_schemas.graph.model import Port
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.scalars import DURATION_PATTERN
from polyphony_schemas.values import ERROR_KINDS, JsonObject, JsonValue

_TEXT: JsonObject = {"type": "string"}
_BOOLEAN: JsonObject = {"type": "boolean"}
_DURATION: JsonObject = {"type": "string", "pattern": DURATION_PATTERN}
_NAME: JsonObject = {"type": "string", "minLength": 1, "maxLength": 200}


def _choice(*words: str) -> JsonObject:
    return {"enum": list(words)}


def _ports(required: Mapping[str, JsonObject], optional: Mapping[str, JsonObject]) -> dict[str, Port]:
    ports = {name: Port(schema) for name, schema in required.items()}
    return ports | {name: Port(schema, required=False) for name, schema in optional.items()}


def _core(
    name: str,
    required: Mapping[str, JsonObject] | None = None,
    optional: Mapping[str, JsonObject] | None = None,
    outputs: Mapping[str, JsonObject] | None = None,
    *,
    anything: bool = False,
) -> PackageInterface:
    return PackageInterface(
        kind="extension",
        name=name,
        version="1.0.0",
        inputs=_ports(required or {}, optional or {}),
        any_inputs=Port({}, required=False) if anything else None,
        outputs={port: Port(schema, required=False) for port, schema in (outputs or {}).items()},
    )


CORE: Final[Mapping[str, PackageInterface]] = {
    "set": _core("set", anything=True),
    "merge": _core(
        "merge", optional={"mode": _choice("object", "list", "first")}, outputs={"value": {}}, anything=True
    ),
    "switch": _core(
        "switch",
        required={
            "value": {},
            "cases": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        },
        optional={"order": {"type": "array", "items": _TEXT, "uniqueItems": True}},
    ),
    "wait": _core(
        "wait",
        optional={"delay": _DURATION, "at": _TEXT, "signal": _NAME, "timeout": _DURATION},
        outputs={"payload": {}, "timed_out": _BOOLEAN},
    ),
    "approve": _core(
        "approve",
        required={"question": _TEXT},
        optional={
            "who": {"type": "array", "items": _NAME},
            "timeout": _DURATION,
            "on_timeout": _choice("reject", "approve", "fail"),
        },
        outputs={
            "approved": _BOOLEAN,
            "by": {"type": ["string", "null"]},
            "comment": {"type": ["string", "null"]},
        },
    ),
    "signal": _core(
        "signal",
        required={"name": _NAME},
        optional={"payload": {}, "persistent": _BOOLEAN, "to": _choice("run", "melody")},
    ),
    "raise": _core("raise", optional={"kind": _choice(*ERROR_KINDS), "message": _TEXT}),
    "stop": _core("stop", optional={"status": _choice("succeeded", "failed", "cancelled"), "message": _TEXT}),
}


def core_outputs(name: str, named: Mapping[str, JsonValue]) -> Mapping[str, Port]:
    """The output ports of a core node: fixed ones, or those that its ``with`` (``named``) makes."""
    if name == "set":
        return {port: Port({}, required=False) for port in named}
    if name == "switch":
        cases = named.get("cases")
        chosen = [*cases, "default"] if isinstance(cases, Mapping) else ["default"]
        return {port: Port({}, required=False) for port in chosen}
    return CORE[name].outputs
