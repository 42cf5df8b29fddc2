"""Values against the JSON Schemas of ports and parameters, at run time: the outputs of a node, the inputs of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from polyphony_schemas.expressions import typed
from polyphony_schemas.graph.answers import check_answer
from polyphony_schemas.graph.model import Port
from polyphony_schemas.values import JsonObject, JsonValue

# Schemas of these keys alone need no validator: most ports declare just a type.
_SIMPLE = frozenset({"type", "title", "description", "default", "examples", "format"})
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "object": (Mapping,),
    "boolean": (bool,),
    "null": (type(None),),
}


def accept(name: str, value: JsonValue, schema: JsonObject) -> tuple[JsonValue, str | None]:
    """The value with its numbers as declared, and what is wrong with it (None: nothing)."""
    if not schema:
        return value, None
    declared = typed(value, schema)
    found = _simple(declared, schema) if schema.keys() <= _SIMPLE else _full(declared, schema)
    return declared, f"{name!r} {found}" if found else None


def check_outputs(
    ports: Mapping[str, Port], outputs: JsonObject, task: JsonObject
) -> tuple[JsonObject, str | None]:
    """A node's outputs as declared, and the first thing wrong with them."""
    accepted: dict[str, JsonValue] = {}
    for name, value in outputs.items():
        port = ports.get(name)
        if port is None:
            known = ", ".join(sorted(ports)) or "none"
            return outputs, f"the output {name!r} is not declared, declared are: {known}"
        accepted[name], wrong = accept(name, value, output_schema(port, task))
        if wrong:
            return outputs, f"the output {wrong}"
    wrong = check_answer(ports, accepted, task) if task else None
    return (outputs, wrong) if wrong else (accepted, None)


def output_schema(port: Port, task: JsonObject) -> JsonObject:
    """The schema of an output: of the task when the port takes it from there and the task has one."""
    expected = task.get("outputs") if port.from_task else None
    schema = expected.get("schema") if isinstance(expected, Mapping) else None
    return schema if isinstance(schema, Mapping) else port.schema


def _simple(value: JsonValue, schema: JsonObject) -> str | None:
    wanted = schema.get("type")
    if wanted is None:
        return None
    names = [wanted] if isinstance(wanted, str) else []
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        names = [str(one) for one in wanted]
    if any(_is(value, one) for one in names):
        return None
    return f"is {_kind(value)}, expected {' or '.join(names)}"


def _is(value: JsonValue, wanted: str) -> bool:
    match wanted:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "array":
            return isinstance(value, Sequence) and not isinstance(value, str)
        case _:
            return isinstance(value, _TYPES.get(wanted, ()))


def _kind(value: JsonValue) -> str:
    for name in ("null", "boolean", "integer", "number", "string", "array"):
        if _is(value, name):
            return name
    return "object"


def _full(value: JsonValue, schema: JsonObject) -> str | None:
    from polyphony_schemas.json_schema import validate

    findings = validate(value, schema)
    if not findings:
        return None
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    place = f" at {first.pointer!r}" if first.pointer else ""
    return f"breaks its schema{place}: {first.message}{more}"
