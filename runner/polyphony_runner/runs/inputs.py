"""``--input NAME=VALUE`` and ``--inputs FILE``: text from a command line as typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from polyphony_runner.conductor.directives import DirectiveError, check_inputs
from polyphony_schemas.errors import UsageError
from polyphony_schemas.graph.model import Port
from polyphony_schemas.graph.port_values import accept
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue

_INPUTS = 'write the inputs as one JSON object, like {"name": "Ada"}'


def read_inputs(
    ports: Mapping[str, Port], assignments: Sequence[str], file: Path | None
) -> dict[str, JsonValue]:
    """The inputs of a run with defaults filled in; ``UsageError`` PLY2403 names the declared ones."""
    values = given_inputs(ports, assignments, file)
    try:
        return check_inputs(ports, values)
    except DirectiveError as error:
        raise _wrong(ports, error.message) from None


def given_inputs(
    ports: Mapping[str, Port], assignments: Sequence[str], file: Path | None
) -> dict[str, JsonValue]:
    """The inputs that somebody gave, each as declared; ``UsageError`` PLY2403 for an unknown or wrong one."""
    values: dict[str, JsonValue] = dict(_read_file(file)) if file is not None else {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise _wrong(ports, f"{assignment!r} is no NAME=VALUE")
        if name not in ports:
            raise _wrong(ports, f"there is no input {name!r}", did_you_mean(name, ports))
        values[name] = _typed(ports, name, _text(ports, name, text), from_text=True)
    for name, value in values.items():
        if name not in ports:
            raise _wrong(ports, f"there is no input {name!r}", did_you_mean(name, ports))
        values[name] = _typed(ports, name, value, from_text=False)
    return values


def _text(ports: Mapping[str, Port], name: str, text: str) -> str:
    try:
        if text.startswith("@"):
            return Path(text[1:]).read_text(encoding="utf-8")
        text.encode()  # bytes of the command line that are no UTF-8 stand as lone surrogates
    except OSError as error:
        raise UsageError(
            "PLY2403",
            f"the input {name!r}: {text[1:]!r} cannot be read: {_reason(error)}",
            hint="NAME=@FILE reads a file, relative to the current folder",
        ) from None
    except UnicodeError:
        raise _wrong(ports, f"the input {name!r} is not text in UTF-8") from None
    return text


def _typed(ports: Mapping[str, Port], name: str, value: JsonValue, *, from_text: bool) -> JsonValue:
    schema = ports[name].schema
    if from_text and isinstance(value, str) and not _only_strings(schema):
        try:
            read: JsonValue = json.loads(value, parse_constant=_no_constant)
        except ValueError:
            read = value
        accepted, wrong = accept(name, read, schema)
        if wrong is None:
            return accepted
        # A string that happens to be JSON, where the schema wants a string.
        if not isinstance(read, str) and accept(name, value, schema)[1] is None:
            return value
        value = read
    accepted, wrong = accept(name, value, schema)
    if wrong is not None:
        raise _wrong(ports, f"the input {wrong}")
    return accepted


def _only_strings(schema: JsonObject) -> bool:
    wanted = schema.get("type")
    if wanted is not None:
        return wanted == "string" or (isinstance(wanted, Sequence) and list(wanted) == ["string"])
    known = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return isinstance(known, Sequence) and all(isinstance(one, str) for one in known)


def _read_file(file: Path) -> JsonObject:
    try:
        value: JsonValue = json.loads(file.read_bytes(), parse_constant=_no_constant)
    except (OSError, ValueError) as error:
        why = _reason(error) if isinstance(error, OSError) else str(error)
        raise UsageError("PLY2403", f"{str(file)!r} cannot be read as JSON: {why}", hint=_INPUTS) from None
    if not isinstance(value, Mapping):
        got = "an array" if isinstance(value, Sequence) and not isinstance(value, str) else repr(value)
        raise UsageError("PLY2403", f"{str(file)!r} holds {got}, expected an object", hint=_INPUTS)
    return value


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _no_constant(text: str) -> JsonValue:
    raise ValueError(f"{text} is no JSON")


def _wrong(ports: Mapping[str, Port], message: str, nearest: str = "") -> UsageError:
    return UsageError(
        "PLY2403",
        message,
        hint=f"{nearest}{' ' if nearest else ''}declared inputs: {describe_inputs(ports)}",
        details={"inputs": _declared(ports)},
    )


def describe_inputs(ports: Mapping[str, Port]) -> str:
    """Declared inputs in one line."""
    parts = []
    for name, port in ports.items():
        kind = port.schema.get("type", "any")
        shown = f"{name} ({kind if isinstance(kind, str) else ' or '.join(map(str, _sequence(kind)))}"
        if port.has_default:
            shown += f", default {json.dumps(port.default)}"
        elif not port.required:
            shown += ", optional"
        parts.append(shown + ")")
    return ", ".join(parts) or "none"


def _sequence(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, Sequence) else ()


def _declared(ports: Mapping[str, Port]) -> dict[str, object]:
    return {name: {"schema": dict(port.schema), "required": port.required} for name, port in ports.items()}
