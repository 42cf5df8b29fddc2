"""Write docs/kit.md from each package's extension.yaml. ``--check`` only says whether it is current."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from generated_files import write_or_check
from polyphony_schemas.extension import Extension, PythonRun
from polyphony_schemas.loading import load_extension
from polyphony_schemas.values import JsonValue

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "kit.md"
HEAD = """# The kit

The packages of `polyphony`, made from each `extension.yaml` by `tools/generate_kit_docs.py`. Use one as
`uses: polyphony/NAME@^1`. A permission that is *granted* is whatever the node names; `secrets`, `network` and `write`
must always stand at the node. Tool environments come from a hash-locked `requirements.lock`, wheels only.
"""


def document() -> str:
    """The whole page."""
    folders = sorted(path.parent for path in ROOT.glob("kit/*/extension.yaml"))
    parts = [HEAD.rstrip()]
    for folder in folders:
        parts += section(load_extension((folder / "extension.yaml").read_bytes(), str(folder)))
    return "\n\n".join(parts) + "\n"


def section(extension: Extension) -> Iterator[str]:
    """One package."""
    yield f"## {extension.name}"
    yield f"{extension.summary}. {extension.kind.capitalize()}, version {extension.version}{traits(extension)}."
    inputs = [
        row(name, port.schema_, "" if is_required(port) else "optional")
        for name, port in extension.inputs.items()
    ]
    yield from table("input", inputs)
    outputs = [
        row(name, port.schema_, "of the task's schema" if port.from_task else "")
        for name, port in extension.outputs.items()
    ]
    yield from table("output", outputs)
    required = extension.parameters.get("required")
    needed = required if isinstance(required, list) else []
    parameters = [
        row(name, schema, parameter_note(schema, name in needed))
        for name, schema in extension.parameter_schemas().items()
    ]
    yield from table("parameter", parameters)
    yield f"Permissions: {permissions(extension)}."


def is_required(port: object) -> bool:
    """Whether an input has to be fed."""
    return bool(getattr(port, "required", True)) and getattr(port, "default", None) is None


def traits(extension: Extension) -> str:
    """What else is worth knowing in a line."""
    words = []
    if extension.pure:
        words.append("pure")
    if extension.effects != "none":
        words.append(f"effects {extension.effects}")
    if isinstance(extension.run, PythonRun) and extension.run.warm:
        words.append("kept warm")
    return "".join(f", {word}" for word in words)


def table(kind: str, rows: list[str]) -> Iterator[str]:
    """A table of ports or parameters; nothing when there are none."""
    if rows:
        yield "\n".join([f"| {kind} | type | |", "|---|---|---|", *rows])


def row(name: str, schema: object, note: str) -> str:
    """One port or parameter."""
    shown = "any other name" if name == "*" else f"`{name}`"
    return f"| {shown} | {type_of(schema)} | {note} |"


def parameter_note(schema: JsonValue, needed: bool) -> str:
    """Default and description."""
    if not isinstance(schema, Mapping):
        return ""
    words = []
    if needed:
        words.append("required")
    elif "default" in schema:
        words.append(f"default `{json.dumps(schema['default'])}`")
    if isinstance(schema.get("description"), str):
        words.append(str(schema["description"]))
    return ". ".join(words).replace("|", "\\|")


def type_of(schema: object) -> str:
    """A schema in a word or two."""
    if not isinstance(schema, Mapping) or not schema:
        return "any"
    if isinstance(schema.get("$ref"), str):
        return str(schema["$ref"]).removeprefix("urn:polyphony:")
    if "enum" in schema:
        return " · ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items'))}"
    if schema.get("format") == "path":
        return "path"
    return str(schema.get("type", "any"))


def permissions(extension: Extension) -> str:
    """What it may touch."""
    found = extension.permissions.model_dump(exclude_none=True)
    words = [f"`{key}` {shown(items)}" for key, items in found.items()]
    return " · ".join(words) or "none; it sees its inputs alone"


def shown(items: object) -> str:
    """The items of one key."""
    if not isinstance(items, list | tuple):
        return f"*{items}*"
    texts = []
    for item in items:
        if isinstance(item, Mapping):
            further = ", ".join(f"{key} {value}" for key, value in item.items() if key != "path")
            texts.append(f"`{item.get('path', '')}` ({further})")
        else:
            texts.append(f"`{item}`")
    return ", ".join(texts)


if __name__ == "__main__":
    sys.exit(write_or_check({TARGET: document()}))
