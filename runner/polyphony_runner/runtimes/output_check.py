"""The outputs of a node against its declared ports."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.graph.model import Port
from polyphony_schemas.values import JsonObject, JsonValue

_PLAIN = frozenset({"type", "title", "description", "default", "examples"})
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def checked(outputs: JsonObject, ports: Mapping[str, Port], task: JsonObject) -> dict[str, JsonValue]:
    """The outputs, all declared and each valid by its schema. NodeError of kind ``validation`` otherwise."""
    for name, value in outputs.items():
        port = ports.get(name)
        if port is None:
            raise NodeError(
                "validation",
                "PLY3504",
                f"the output {name!r} is not declared; declared: {', '.join(sorted(ports)) or 'none'}",
                hint="declare it under outputs in extension.yaml",
                retryable=True,
            )
        schema = _schema(port, task)
        if _plainly_fits(value, schema):
            continue
        from polyphony_schemas.json_schema import validate  # imports a library that plain schemas do not need

        findings = validate(value, schema)
        if findings:
            raise NodeError(
                "validation",
                "PLY3504",
                f"the output {name!r} does not fit its schema: {findings[0].message}",
                retryable=True,
            )
    return dict(outputs)


def _plainly_fits(value: JsonValue, schema: JsonObject) -> bool:
    """Whether a schema says nothing but a type, and the value is of it."""
    if not _PLAIN.issuperset(schema):
        return False
    kind = schema.get("type")
    if kind is None:
        return True
    expected = _TYPES.get(kind) if isinstance(kind, str) else None
    return (
        expected is not None
        and isinstance(value, expected)
        and (kind == "boolean" or not isinstance(value, bool))
    )


def _schema(port: Port, task: JsonObject) -> JsonObject:
    asked = task.get("outputs")
    schema = asked.get("schema") if port.from_task and isinstance(asked, Mapping) else None
    return schema if isinstance(schema, Mapping) else port.schema
