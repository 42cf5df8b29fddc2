"""The permission model line by line: what a node is handed, or why it does not start (docs/melody.md, Permissions)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.session import begin
from polyphony_schemas.errors import PolyphonyError


@dataclass(frozen=True)
class Line:
    """One line of the model: permissions as JSON by who says them, and what comes of it.

    ``gets`` are the grants of the node, ``refused`` words of the message of a node that does not start, or of a melody
    that may not be run. ``value`` is what an earlier node gives to computed grants.
    """

    says: str
    declared: dict[str, Any] = field(default_factory=dict)
    node: dict[str, Any] = field(default_factory=dict)
    ceiling: dict[str, Any] = field(default_factory=dict)
    gets: dict[str, Any] | None = None
    refused: str = ""
    value: Any = None
    inputs: tuple[str, ...] = ()


API = "api.example:443"
PRIVATE = {"url": "db.example:5432", "private": True}
DIRECT = {"path": "out", "mode": "direct"}
LINES = [
    Line("the default is nothing", gets={}),
    Line("a ceiling grants nothing", ceiling={"read": ["src"], "network": [API]}, gets={}),
    Line("an extension that asks for nothing gets nothing", node={"run": ["make"]}, ceiling={"run": ["make"]}, gets={}),
    Line("a key that the ceiling lacks is empty", declared={"read": ["src"]}, refused="read: .*config.permissions"),
    Line(
        "a key that the node does not name is declared ∩ ceiling",
        declared={"read": ["src"], "run": ["git"], "env": ["LANG"], "models": ["m"]},
        ceiling={"read": ["."], "run": ["git", "make"], "env": ["LANG"], "models": ["m"]},
        gets={"read": ["src"], "run": ["git"], "env": ["LANG"], "models": ["m"]},
    ),
    *(
        Line(f"{key} must stand at the node", declared={key: [item]}, ceiling={key: [item]}, refused=key)
        for key, item in (("secrets", "TOKEN"), ("network", API), ("write", "out"))
    ),
    *(
        Line(f"{key} stands at the node", {key: [item]}, {key: [item]}, {key: [item]}, gets={key: [item]})
        for key, item in (("secrets", "TOKEN"), ("network", API), ("write", "out"))
    ),
    Line(
        "what an extension declares it needs: a node that names less is refused",
        declared={"run": ["git", "make"]},
        node={"run": ["git"]},
        ceiling={"run": ["git", "make"]},
        refused="run: .*make",
    ),
    Line("an empty list at the node names nothing", {"run": ["git"]}, {"run": []}, {"run": ["git"]}, refused="git"),
    Line(
        "granted takes whatever the node names",
        declared={"network": "granted", "secrets": "granted"},
        node={"network": [API]},
        ceiling={"network": [API, "b.example:443"], "secrets": ["TOKEN"]},
        gets={"network": [API]},
    ),
    Line("granted stays below the ceiling", {"run": "granted"}, {"run": ["sh"]}, {"run": ["git"]}, refused="sh"),
    Line("a path lies in a grant when it is below", {"read": ["src/a"]}, {}, {"read": ["src"]}, gets={"read": ["src/a"]}),
    Line("a path above is not in a grant", {"read": ["."]}, {}, {"read": ["src"]}, refused="read"),
    Line("a name that only begins alike is not below", {"read": ["src2"]}, {}, {"read": ["src"]}, refused="read"),
    Line("dots that lead out do not count as below", {"read": ["src/../docs"]}, {}, {"read": ["src"]}, refused="read"),
    Line("a link that leads out is where it leads", {"read": ["src/out-link"]}, {}, {"read": ["src"]}, refused="read"),
    Line(
        "a link in the ceiling is where it leads",
        {"read": "granted"}, {"read": ["${ before.v }"]}, {"read": ["src/out-link"]}, gets={"read": ["docs/x"]}, value="docs/x",
    ),
    Line("hosts are compared by equality", {"network": "granted"}, {"network": ["a.api.example:443"]}, {"network": [API]}, refused="a.api.example"),
    Line("ports are compared by equality", {"network": "granted"}, {"network": ["api.example:80"]}, {"network": [API]}, refused="api.example:80"),
    Line("plain HTTP is another endpoint", {"network": "granted"}, {"network": ["http://api.example:443"]}, {"network": [API]}, refused="http"),
    Line("there is no wildcard", {"network": "granted"}, {"network": ["*.example:443"]}, {"network": ["*.example:443"]}, refused=r"\*"),
    Line(
        "private has to be allowed as private",
        {"network": "granted"}, {"network": [PRIVATE]}, {"network": ["db.example:5432"]}, refused="db.example",
    ),
    Line("private that is allowed", {"network": "granted"}, {"network": [PRIVATE]}, {"network": [PRIVATE]}, gets={"network": [PRIVATE]}),
    Line(
        "a literal address counts as private",
        {"network": "granted"}, {"network": [{"url": "10.0.0.1:80", "private": True}]}, {"network": ["10.0.0.1:80"]},
        gets={"network": [{"url": "10.0.0.1:80", "private": True}]},
    ),
    Line("the package index is a word", {"network": "granted"}, {"network": ["package-index"]}, {"network": [API]}, refused="package-index"),
    Line(
        "view and mode do not count for the ceiling",
        {"write": "granted"}, {"write": [DIRECT]}, {"write": ["out"]}, gets={"write": [DIRECT]},
    ),
    Line(
        "view comes from the node",
        {"read": ["src"]}, {"read": [{"path": ".", "view": "copy"}]}, {"read": ["."]},
        gets={"read": [{"path": "src", "view": "copy"}]},
    ),
    Line("computed grants are compared after evaluation", {"read": "granted"}, {"read": ["${ before.v }"]}, {"read": ["src"]}, gets={"read": ["src/a"]}, value="src/a"),
    Line("a computed grant outside is refused", {"read": "granted"}, {"read": ["${ before.v }"]}, {"read": ["src"]}, refused="docs", value="docs"),
    Line(
        "a computed path may not say how it is written",
        {"write": "granted"}, {"write": ["${ before.v }"]}, {"write": ["out"]},
        refused="gives an object, expected a text", value=DIRECT,
    ),
    Line(
        "a computed address may not say that it is private",
        {"network": "granted"}, {"network": ["${ before.v }"]}, {"network": [PRIVATE]},
        refused="gives an object", value=PRIVATE,
    ),
    Line(
        "a computed path in a written map is fine",
        {"write": "granted"}, {"write": [{"path": "${ before.v }", "mode": "direct"}]}, {"write": ["out"]},
        gets={"write": [DIRECT]}, value="out",
    ),
    Line(
        "a computed grant is one grant, not a list of them",
        {"run": "granted"}, {"run": ["${ before.v }"]}, {"run": ["git", "make"]}, refused="gives a list", value=["git", "make"],
    ),
    Line(
        "a ceiling that is computed gives texts",
        {"write": "granted"}, {"write": ["out"]}, {"write": ["${ inputs.free }"]}, refused="gives an object",
        inputs=('free={"path": "out", "mode": "direct"}',),
    ),
    Line(
        "a ceiling is evaluated with the inputs of the run",
        {"write": "granted"}, {"write": ["out"]}, {"write": ["${ inputs.free }"]}, gets={"write": ["out"]},
        inputs=('free="out"',),
    ),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.says)
def test_the_model(tmp_path: Path, line: Line) -> None:
    work = tmp_path / "project"
    for name in ("src/a", "src2", "docs/x", "out"):
        (work / name).mkdir(parents=True)
    (work / "src/out-link").symlink_to(work / "docs")
    folder = tmp_path / "melody"
    write(folder / "melody.yaml", melody_of(line))
    write(folder / "node/extension.yaml", {**extension("node"), "permissions": line.declared})
    write(folder / "value/extension.yaml", {**extension("value"), "outputs": {"v": {"schema": {}}}})
    said: dict[str, Any] = {}

    def answer(assignment: Any, _sink: Any) -> Any:
        if assignment.package == "./value":
            return {"v": line.value}
        said["grants"] = {key: list(items) for key, items in assignment.grants.items()}
        return {}

    def agree(*_: object) -> bool:
        return True

    refusal = ""
    try:
        request = RunRequest(folder, inputs=line.inputs, work=work, ask=agree)
        with begin(assemble(request, Home.at(tmp_path / "home")), Home.at(tmp_path / "home")) as session:
            state = session.execute(lambda *_: FunctionRuntime({"*": answer}), lambda *_: None)
        error = state.nodes["node"].error or {}
        refusal = str(error.get("message", ""))
    except PolyphonyError as error:
        refusal = error.message
    if line.gets is None:
        assert not said
        assert refusal
        assert re.search(line.refused, refusal), refusal
    else:
        assert refusal == ""
        assert said["grants"] == line.gets


def melody_of(line: Line) -> dict[str, Any]:
    return {
        "melody": "v1",
        "name": "model",
        "version": "1.0.0",
        "inputs": {"free": {"schema": {}, "required": False}},
        "nodes": {
            "before": {"uses": "./value"},
            "node": {"uses": "./node", "permissions": line.node},
        },
        "connections": ["before -> node"],
        "config": {"permissions": line.ceiling},
    }


def extension(name: str) -> dict[str, Any]:
    return {
        "extension": "v1",
        "name": name,
        "version": "1.0.0",
        "kind": "operator",
        "run": {"process": ["cat"]},
    }


def write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False))
