"""What an extension must fulfil beyond its shape: usable schemas, expressions that name what exists, honest flags."""

from __future__ import annotations

from polyphony_schemas.extension import ANY_INPUT, CommandRun, Extension, McpRun, ProcessRun, Run
from polyphony_schemas.graph.checks.ports import check_input_ports
from polyphony_schemas.graph.findings import Finding, Findings, join_pointer
from polyphony_schemas.graph.interface import NO_FILES
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.graph.sight import Sight, read_template, read_templates
from polyphony_schemas.permissions.declared import declared_of
from polyphony_schemas.permissions.model import is_expression
from polyphony_schemas.values import JsonValue

NOT_PURE = "PLY1510"
BAD_WORD = "PLY1511"
BAD_PARAMETERS = "PLY1512"


def check_extension(extension: Extension, schemas: Schemas = NO_FILES) -> list[Finding]:
    """Everything that is wrong with an extension whose shape is right."""
    findings = Findings()
    check_input_ports(extension.inputs, "/inputs", schemas, findings)
    for name, port in extension.outputs.items():
        schemas.check(port.schema_, join_pointer("/outputs", name, "schema"), findings)
    _check_parameters(extension, schemas, findings)
    sight = Sight(names=frozenset({"inputs", "parameters", "task"}), members=_members(extension))
    declared = {
        key: list(items) for key, items in declared_of(extension.permissions).items() if items != "granted"
    }
    read_templates(declared, sight, "/permissions", findings)
    if (words := _words(extension.run)) is not None:
        _check_words(*words, sight, findings)
    _check_pure(extension, findings)
    return findings.items


def _members(extension: Extension) -> dict[str, list[str]]:
    if ANY_INPUT in extension.inputs:
        return {"parameters": list(extension.parameter_schemas())}
    return {"inputs": list(extension.inputs), "parameters": list(extension.parameter_schemas())}


def _check_parameters(extension: Extension, schemas: Schemas, findings: Findings) -> None:
    if not extension.parameters:
        return
    if schemas.check(extension.parameters, "/parameters", findings) and not _is_object(extension):
        findings.error(
            BAD_PARAMETERS,
            "/parameters",
            "got a schema that is not of type object, expected one with properties",
            "write {type: object, properties: {…}}",
        )


def _is_object(extension: Extension) -> bool:
    return extension.parameters.get("type", "object") == "object"


def _words(run: Run) -> tuple[tuple[str, ...], str] | None:
    """The words of a program that is started by them, and where they stand."""
    match run:
        case CommandRun():
            return run.command, "/run/command"
        case ProcessRun():
            return run.process, "/run/process"
        case McpRun():
            return run.mcp.command, "/run/mcp/command"
        case _:
            return None


def _check_words(argv: tuple[str, ...], pointer: str, sight: Sight, findings: Findings) -> None:
    """Words are literal or wholly ``${ cel }``; the program itself is never computed."""
    words: list[JsonValue] = list(argv)
    read_template(words, sight, pointer, findings)
    if is_expression(argv[0]):
        findings.error(
            BAD_WORD,
            f"{pointer}/0",
            f"got the program {argv[0]!r}, expected a name that stands in the document",
            "name the program, and compute only its arguments",
        )


def _check_pure(extension: Extension, findings: Findings) -> None:
    """A result that is taken from the cache must not depend on, or change, anything else."""
    if not extension.pure:
        return
    declared = declared_of(extension.permissions)
    for key in ("write", "secrets", "network"):
        if declared.get(key):
            findings.error(
                NOT_PURE,
                join_pointer("/permissions", key),
                f"got pure: true with {key}, expected none of write, secrets and network",
                "remove pure, or the permission",
            )
    if extension.effects != "none":
        findings.error(
            NOT_PURE, "/effects", f"got pure: true with effects: {extension.effects}", "remove one of the two"
        )
