"""The case of an extension as a melody of one node: so everything that holds for nodes holds for it.

The node is called ``node``. It gets the inputs and parameters of the case, and is granted what the extension declares
by name; ``granted`` gives it nothing. The melody is written beside a copy of the extension, and its work folder lies in
it: a case that only reads what it brings along needs nobody's consent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from polyphony_runner.files import read_document
from polyphony_runner.folder_schemas import folder_schemas
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import compile_expression, evaluate
from polyphony_schemas.expressions.templates import expression_text
from polyphony_schemas.extension import Extension
from polyphony_schemas.graph.interface import extension_interface
from polyphony_schemas.loading import load_extension
from polyphony_schemas.melody_cases import TestCase
from polyphony_schemas.names import EXTENSION_FILES
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonObject, JsonValue

NODE = "node"
_NAMES = ("inputs", "parameters", "task")


def find_extension(folder: Path) -> Path | None:
    """The extension's document in a folder, if it holds one."""
    return next((folder / name for name in EXTENSION_FILES if (folder / name).is_file()), None)


def write_melody(document: Path, case: TestCase, target: Path) -> None:
    """Write the melody of a case into a new folder, with a copy of the extension."""
    schemas = folder_schemas(document.name, document.parent)
    extension = load_extension(read_document(document), document.name, schemas=schemas)
    interface = extension_interface(extension, schemas)
    shutil.copytree(
        document.parent, target / NODE, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__")
    )
    (target / "melody.yaml").write_text(json.dumps(_melody(extension, interface, case)))


def _melody(extension: Extension, interface: PackageInterface, case: TestCase) -> JsonObject:
    grants = _grants(extension, interface, case)
    node: dict[str, JsonValue] = {
        "uses": f"./{NODE}",
        "with": {name: f"${{ inputs.{name} }}" for name in case.inputs},
        "permissions": grants,
    }
    return {
        "melody": "v1",
        "name": extension.name,
        "version": extension.version,
        "inputs": {name: {"schema": _schema(name, interface)} for name in case.inputs},
        "nodes": {NODE: node},
        "outputs": {name: f"${{ {NODE}.{name} }}" for name in case.expect.outputs},
        "config": {"permissions": grants},
    }


def _schema(name: str, interface: PackageInterface) -> JsonObject:
    """Paths are paths of the melody too; anything else is checked at the node."""
    port = interface.inputs.get(name)
    is_path = port is not None and port.schema.get("format") == "path"
    return {"type": "string", "format": "path"} if is_path else {}


def _grants(extension: Extension, interface: PackageInterface, case: TestCase) -> dict[str, JsonValue]:
    """What is declared by name, evaluated with the values of the case; what names an absent value is left out."""
    parameters = extension.parameter_schemas()
    environment: JsonObject = {
        "inputs": {name: value for name, value in case.inputs.items() if name not in parameters},
        "parameters": {name: value for name, value in case.inputs.items() if name in parameters},
        "task": {},
    }
    grants: dict[str, JsonValue] = {}
    for key, items in interface.permissions.items():
        filled = [] if items == "granted" else [_filled(item, environment) for item in items]
        if present := [item for item in filled if item is not None]:
            grants[key] = present
    return grants


def _filled(value: JsonValue, environment: JsonObject) -> JsonValue:
    """The value with its expressions evaluated; None when one of them names what is not there."""
    if isinstance(value, Mapping):
        made = {key: _filled(item, environment) for key, item in value.items()}
        return None if None in made.values() else made
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_filled(item, environment) for item in value]
    text = expression_text(value) if isinstance(value, str) else None
    if text is None:
        return value
    try:
        return evaluate(compile_expression(text, nodes=(), names=_NAMES), environment)
    except ExpressionError:
        return None
