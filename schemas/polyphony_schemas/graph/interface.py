"""What a graph must know about a package it uses: ports, parameters, permissions, effects. Nothing of its code."""

from __future__ import annotations

from polyphony_schemas.extension import (
    ANY_INPUT,
    COMMAND_OUTPUTS,
    MCP_TEXT,
    CommandRun,
    Extension,
    McpRun,
    ProcessRun,
    PythonRun,
    Run,
    WasmRun,
)
from polyphony_schemas.graph.model import Port
from polyphony_schemas.graph.parts import read_limits
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.melody import InputPort, Melody
from polyphony_schemas.permissions.declared import ceiling_of, declared_of
from polyphony_schemas.program import (
    CommandStart,
    McpStart,
    PackageInterface,
    ProcessStart,
    Program,
    PythonStart,
    Start,
    WasmStart,
)
from polyphony_schemas.values import JsonObject

NO_FILES = Schemas()
_COMMAND_SCHEMAS: dict[str, JsonObject] = {
    "stdout": {},
    "stderr": {},
    "status": {"type": "integer"},
}


def extension_interface(extension: Extension, schemas: Schemas = NO_FILES) -> PackageInterface:
    """The outside of an extension; ``schemas`` knows the files that its schemas refer to."""
    inputs = {name: input_port(port, schemas) for name, port in extension.inputs.items()}
    any_inputs = inputs.pop(ANY_INPUT, None)
    outputs = {
        name: Port(schemas.bundled(port.schema_), required=False, from_task=port.from_task)
        for name, port in extension.outputs.items()
    }
    if extension.run.kind == "command":
        outputs |= {name: Port(_COMMAND_SCHEMAS[name], required=False) for name in COMMAND_OUTPUTS}
    if extension.run.kind == "mcp":
        outputs.setdefault(MCP_TEXT, Port({"type": "string"}, required=False))
    return PackageInterface(
        kind="extension",
        name=extension.name,
        version=extension.version,
        inputs=inputs,
        any_inputs=any_inputs,
        outputs=outputs,
        parameters=schemas.bundled(extension.parameters),
        permissions=declared_of(extension.permissions),
        effects=extension.effects,
        pure=extension.pure,
        cancellable=extension.cancellable,
        run=extension.run.kind,
        summary=extension.summary or "",
    )


def extension_program(extension: Extension, schemas: Schemas = NO_FILES) -> Program:
    """What running an extension needs, its schemas bundled."""
    return Program(
        extension_interface(extension, schemas), _start(extension.run), read_limits(extension.limits)
    )


def _start(run: Run) -> Start:
    match run:
        case PythonRun():
            return PythonStart(run.python, run.warm, run.requirements)
        case ProcessRun():
            return ProcessStart(run.process)
        case CommandRun():
            return CommandStart(run.command, run.ok)
        case McpRun():
            return McpStart(run.mcp.command, run.mcp.tool)
        case WasmRun():
            return WasmStart(run.wasm)


def melody_interface(melody: Melody, schemas: Schemas = NO_FILES) -> PackageInterface:
    """The outside of a melody that is used as a node: its ceiling is what it declares."""
    return PackageInterface(
        kind="melody",
        name=melody.name,
        version=melody.version,
        inputs={name: input_port(port, schemas) for name, port in melody.inputs.items()},
        outputs={name: Port({}, required=False) for name in melody.outputs},
        permissions=ceiling_of(melody.config.permissions),
    )


def input_port(port: InputPort, schemas: Schemas = NO_FILES) -> Port:
    """An input as the graph holds it: with a default or ``required: false`` it is optional."""
    has_default = "default" in port.model_fields_set
    return Port(
        schemas.bundled(port.schema_),
        required=port.required and not has_default,
        default=port.default,
        has_default=has_default,
    )
