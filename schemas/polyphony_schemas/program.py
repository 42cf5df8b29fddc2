"""An extension as running needs it: its outside, how it is started, its bounds. Made from the checked document.

Plain frozen values that need neither pydantic nor a YAML reader: a run imports this module alone. What is kept of an
installed melody, and of every run, holds programs as JSON.

>>> program = Program(PackageInterface("extension", "shout", "1.0.0", run="python"), PythonStart("node:main"))
>>> from_json(to_json(program)) == program
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from polyphony_schemas.graph.codec import BadShapeError, decode_fields, decode_port, decode_ports, encode
from polyphony_schemas.graph.model import Limits, Port
from polyphony_schemas.permissions.keys import Declared
from polyphony_schemas.values import JsonObject, JsonValue

Effects = Literal["none", "undoable", "irreversible"]
RunKind = Literal["python", "process", "command", "mcp", "wasm"]


@dataclass(frozen=True, slots=True)
class PackageInterface:
    """The outside of an extension or a melody. Mappings of these are keyed by the ``uses`` text.

    ``permissions`` is what it declares, items verbatim (``${ cel }`` included), or ``"granted"``.
    ``parameters`` is a JSON Schema of type object. ``run`` is None for a melody.
    """

    kind: Literal["extension", "melody"]
    name: str
    version: str
    inputs: Mapping[str, Port] = field(default_factory=dict)
    any_inputs: Port | None = None
    outputs: Mapping[str, Port] = field(default_factory=dict)
    parameters: JsonObject = field(default_factory=dict)
    permissions: Declared = field(default_factory=dict)
    effects: Effects = "none"
    pure: bool = False
    cancellable: bool = False
    run: RunKind | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class PythonStart:
    """A function of the extension (``module:function``); ``requirements`` names its hash-locked file."""

    function: str
    warm: bool = False
    requirements: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessStart:
    """A program that speaks the protocol."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandStart:
    """Any program; ``ok`` are the exit statuses that count as success."""

    words: tuple[str, ...]
    ok: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class McpStart:
    """One tool of an MCP server that these words start."""

    words: tuple[str, ...]
    tool: str


@dataclass(frozen=True, slots=True)
class WasmStart:
    """A WASI command, a file of the extension, that speaks the protocol."""

    file: str


@dataclass(frozen=True, slots=True)
class MelodyStart:
    """A melody: its graph is opened by the Conductor, nothing is started."""


Start = PythonStart | ProcessStart | CommandStart | McpStart | WasmStart | MelodyStart


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that does not change between executions of one extension."""

    interface: PackageInterface
    start: Start
    limits: Limits = field(default_factory=Limits)

    def parameter_schemas(self) -> dict[str, JsonObject]:
        """The schema of each parameter, by name."""
        properties = self.interface.parameters.get("properties")
        if not isinstance(properties, Mapping):
            return {}
        return {name: schema for name, schema in properties.items() if isinstance(schema, Mapping)}

    def value_schemas(self) -> dict[str, JsonObject]:
        """The schema of each input and parameter, by name."""
        return {name: port.schema for name, port in self.interface.inputs.items()} | self.parameter_schemas()

    def declared_paths(self) -> list[JsonValue]:
        """The extension's own path grants as written."""
        declared = (self.interface.permissions.get(key, ()) for key in ("read", "write"))
        return [item for items in declared if items != "granted" for item in items]


def to_json(program: Program) -> dict[str, JsonValue]:
    """The program as a JSON value."""
    start: dict[str, JsonValue] = {_KINDS[type(program.start)]: encode(program.start)}
    return {
        "interface": encode(program.interface),
        "start": start,
        "limits": encode(program.limits),
    }


def from_json(document: Any) -> Program:
    """The program that ``to_json`` wrote; BadShapeError (a ValueError) for anything else."""
    try:
        ((kind, start),) = document["start"].items()
        return Program(
            decode_fields(PackageInterface, document["interface"], _INTERFACE),
            decode_fields(_STARTS[kind], start, _START),
            decode_fields(Limits, document["limits"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadShapeError(f"no program: {type(error).__name__}: {error}") from None


def _permissions(value: Mapping[str, Any]) -> Declared:
    return {key: items if items == "granted" else tuple(items) for key, items in value.items()}


_KINDS: dict[type, str] = {
    PythonStart: "python",
    ProcessStart: "process",
    CommandStart: "command",
    McpStart: "mcp",
    WasmStart: "wasm",
    MelodyStart: "melody",
}
_STARTS: dict[str, type[Start]] = {kind: start for start, kind in _KINDS.items()}
_START = {"words": tuple, "ok": tuple}
_INTERFACE = {
    "inputs": decode_ports,
    "any_inputs": decode_port,
    "outputs": decode_ports,
    "permissions": _permissions,
}
