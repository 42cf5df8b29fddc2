"""``extension.yaml``: one program, its ports, what it may touch, and how it is started (docs/extension.md).

>>> extension = Extension.model_validate({
...     "extension": "v1", "name": "shout", "version": "1.0.0", "kind": "operator",
...     "inputs": {"text": {"schema": {"type": "string"}}},
...     "outputs": {"loud": {"schema": {"type": "string"}}},
...     "run": {"python": "node:main"},
... })
>>> extension.run.kind, extension.effects
('python', 'none')
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import (
    Identifier,
    PackageName,
    SchemaDocument,
    TemplateValue,
    VersionText,
    checked,
)
from polyphony_schemas.melody import InputPort
from polyphony_schemas.melody_config import LimitMap
from polyphony_schemas.names import check_id
from polyphony_schemas.permissions.model import DeclaredPermissions
from polyphony_schemas.program import Effects, RunKind

# The key under ``inputs`` that stands for every further name.
ANY_INPUT = "*"
# ``command`` has these outputs, whatever it declares.
COMMAND_OUTPUTS = ("stdout", "stderr", "status")
MCP_TEXT = "text"


class OutputPort(DocumentModel):
    """An output: its JSON Schema; ``from_task`` takes the schema of the node's ``task.outputs`` when it has one."""

    schema_: SchemaDocument = Field(default=True, alias="schema")
    from_task: bool = False


def _function(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text):
        raise refuse(4, f"{text!r} is not a function", expected="module:function, such as node:main")
    return text


def _inside(text: str) -> str:
    if text.startswith("/") or "\\" in text or any(part in ("", ".", "..") for part in text.split("/")):
        raise refuse(4, f"{text!r} is not a file of the extension", expected="a plain relative path")
    return text


Argv = Annotated[Items[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
FilePath = Annotated[str, AfterValidator(_inside)]


class PythonRun(DocumentModel):
    """``function(inputs, parameters, task, context)``; ``warm`` keeps its process, ``requirements`` is hash-locked."""

    python: Annotated[str, AfterValidator(_function)]
    warm: bool = False
    requirements: FilePath | None = None

    @property
    def kind(self) -> RunKind:
        """How it is started."""
        return "python"


class ProcessRun(DocumentModel):
    """A program that speaks the protocol on stdin and stdout."""

    process: Argv

    @property
    def kind(self) -> RunKind:
        """How it is started."""
        return "process"


class CommandRun(DocumentModel):
    """Any program: its words are literal or wholly ``${ cel }``; a status outside ``ok`` is an error."""

    command: Argv
    ok: Items[Annotated[int, Field(ge=0, le=255)]] = (0,)

    @property
    def kind(self) -> RunKind:
        """How it is started."""
        return "command"


class McpServer(DocumentModel):
    """An MCP server that is started, and the one tool of it that is called."""

    command: Argv
    tool: Annotated[str, Field(min_length=1)]


class McpRun(DocumentModel):
    """A tool of an MCP server."""

    mcp: McpServer

    @property
    def kind(self) -> RunKind:
        """How it is started."""
        return "mcp"


class WasmRun(DocumentModel):
    """A WASI command that speaks the protocol of ``process``."""

    wasm: FilePath

    @property
    def kind(self) -> RunKind:
        """How it is started."""
        return "wasm"


_FORMS = {"python": PythonRun, "process": ProcessRun, "command": CommandRun, "mcp": McpRun, "wasm": WasmRun}


def _run_form(value: object) -> str | None:
    if isinstance(value, dict):
        return next((f"<{key}>" for key in _FORMS if key in value), None)
    return next((f"<{key}>" for key, form in _FORMS.items() if isinstance(value, form)), None)


Run = Annotated[
    Annotated[PythonRun, Tag("<python>")]
    | Annotated[ProcessRun, Tag("<process>")]
    | Annotated[CommandRun, Tag("<command>")]
    | Annotated[McpRun, Tag("<mcp>")]
    | Annotated[WasmRun, Tag("<wasm>")],
    Discriminator(
        _run_form,
        custom_error_type="run_kind",
        custom_error_message="expected one of python, process, command, mcp, wasm",
    ),
]


InputName = Annotated[str, checked(lambda text: text if text == ANY_INPUT else check_id(text))]


class Extension(DocumentModel):
    """A whole ``extension.yaml``."""

    extension: Literal["v1"]
    name: PackageName
    version: VersionText
    kind: Literal["instrument", "operator", "addon"]
    category: str | None = None
    summary: Annotated[str, Field(max_length=300)] | None = None
    license: str | None = None
    keywords: Items[str] = ()
    inputs: dict[InputName, InputPort] = Field(default_factory=dict)
    outputs: dict[Identifier, OutputPort] = Field(default_factory=dict)
    parameters: dict[str, TemplateValue] = Field(default_factory=dict)
    permissions: DeclaredPermissions = Field(default_factory=DeclaredPermissions)
    limits: LimitMap = Field(default_factory=LimitMap)
    pure: bool = False
    effects: Effects = "none"
    cancellable: bool = False
    run: Run

    @model_validator(mode="after")
    def _has_ports_that_can_be_told_apart(self) -> Extension:
        anything = self.inputs.get(ANY_INPUT)
        if anything is not None and _is_path(anything.schema_):
            raise refuse(7, "inputs '*' of format path", expected="a path input of its own name")
        both = sorted(set(self.inputs) & set(self.parameter_schemas()))
        if both:
            raise refuse(
                7,
                f"{both[0]!r} is an input and a parameter",
                expected="each name used once",
                hint="rename one of them",
            )
        if self.run.kind == "command" and (taken := sorted(set(self.outputs) & set(COMMAND_OUTPUTS))):
            raise refuse(
                7, f"output {taken[0]!r}", expected="a command has stdout, stderr and status by itself"
            )
        return self

    def parameter_schemas(self) -> dict[str, TemplateValue]:
        """The schema of each parameter, by name."""
        properties = self.parameters.get("properties")
        return properties if isinstance(properties, dict) else {}


def _is_path(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("format") == "path"
