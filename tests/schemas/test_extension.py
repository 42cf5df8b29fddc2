"""extension.yaml: every way to run, ports, honest flags."""

from __future__ import annotations

import pytest

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.interface import extension_interface
from polyphony_schemas.loading import load_extension
from polyphony_schemas.problems import Problem
from polyphony_schemas.validate import validate_tree
from support.formats_documents import WORK

HEAD = "extension: v1\nname: e\nversion: 1.0.0\nkind: operator\n"


def problems_of(text: str, **files: bytes) -> list[Problem]:
    return validate_tree({"extension.yaml": (HEAD + text).encode(), **files}, "extension.yaml", {})


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        ("{python: 'pkg.node:main', warm: true, requirements: requirements.lock}", "python"),
        ("{process: [tool, --json]}", "process"),
        ("{command: [tool, '${ inputs.path }'], ok: [0, 1]}", "command"),
        ("{mcp: {command: [server], tool: search}}", "mcp"),
        ("{wasm: node.wasm}", "wasm"),
    ],
)
def test_takes_every_way_to_run(run: str, kind: str) -> None:
    text = f"inputs: {{path: {{schema: {{type: string}}}}}}\nrun: {run}\n"
    assert problems_of(text, **{"requirements.lock": b"", "node.wasm": b""}) == []
    assert load_extension((HEAD + text).encode()).run.kind == kind


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("run: {pyton: 'a:b'}", "PLY1504", "/run"),
        ("run: {python: main}", "PLY1504", "/run/python"),
        ("run: {process: []}", "PLY1504", "/run/process"),
        ("run: {python: 'a:b', process: [x]}", "PLY1502", "/run/process"),
        ("run: {python: 'a:b', requirements: ../x}", "PLY1504", "/run/requirements"),
        ("run: {python: 'a:b', requirements: missing.lock}", "PLY1513", "/run/requirements"),
        ("run: {command: ['${ inputs.tool }']}\ninputs: {tool: {}}", "PLY1511", "/run/command/0"),
        ("run: {command: [x, '${ inputs.nope }']}", "PLY1614", "/run/command/1"),
        (
            "run: {process: [x]}\npure: true\npermissions: {network: granted}",
            "PLY1510",
            "/permissions/network",
        ),
        ("run: {process: [x]}\npure: true\neffects: undoable", "PLY1510", "/effects"),
        ("run: {process: [x]}\ninputs: {x: {}}\nparameters: {properties: {x: {}}}", "PLY1507", ""),
        ("run: {process: [x]}\ninputs: {'*': {schema: {format: path}}}", "PLY1507", ""),
        ("run: {command: [x]}\noutputs: {stdout: {}}", "PLY1507", ""),
        ("run: {process: [x]}\npermissions: {network: given}", "PLY1504", "/permissions/network"),
        (
            "run: {process: [x]}\ninputs: {x: {schema: {type: integer}, default: a}}",
            "PLY1606",
            "/inputs/x/default",
        ),
        ("run: {process: [x]}\nparameters: {type: array}", "PLY1512", "/parameters"),
    ],
)
def test_refuses_with_code_and_place(text: str, code: str, pointer: str) -> None:
    found = [(p.code, p.pointer) for p in problems_of(text)]
    assert (code, pointer) in found, found


def test_reports_a_schema_that_cannot_be_used_at_its_place() -> None:
    (found,) = problems_of(
        "run: {process: [x]}\noutputs: {x: {schema: {$ref: 'https://example.com/s.json'}}}"
    )
    assert found.pointer == "/outputs/x/schema/$ref"


def test_bundles_the_files_that_schemas_refer_to() -> None:
    text = "run: {process: [x]}\noutputs: {x: {schema: {$ref: schemas/x.json}}}"
    assert problems_of(text, **{"schemas/x.json": b'{"type": "integer"}'}) == []
    assert problems_of(text)[0].pointer == "/outputs/x/schema/$ref"


def test_gives_the_outside_of_an_extension() -> None:
    outside = extension_interface(load_extension(WORK.encode()))
    assert outside.inputs["n"].required
    assert not outside.inputs["text"].required
    assert outside.outputs["made"].from_task


def test_a_command_has_three_outputs_by_itself() -> None:
    outside = extension_interface(load_extension((HEAD + "run: {command: [ls]}").encode()))
    assert sorted(outside.outputs) == ["status", "stderr", "stdout"]


def test_load_names_the_first_problem_and_counts_the_rest() -> None:
    with pytest.raises(FormatError, match="and 1 more") as caught:
        load_extension(b"extension: v1\nname: e\nversion: 1.0.0\n")
    assert caught.value.code == "PLY1500"
