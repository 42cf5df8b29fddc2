"""Melodies that use melodies, from folders and from registries: each package's words mean its own packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.installed import locate
from polyphony_runner.runs.session import begin, load_state
from polyphony_schemas.trust.tree import Entry
from support.install_world import SIGNER, World, a_registry, world


def extension(name: str, version: str = "1.0.0") -> str:
    return (
        f"extension: v1\nname: {name}\nversion: {version}\nkind: operator\nsummary: S\nlicense: MIT\n"
        'outputs: {value: {schema: {}}}\nrun: {python: "node:main"}\n'
    )


def melody(name: str, nodes: str, further: str = "") -> str:
    return f"melody: v1\nname: {name}\nversion: 1.0.0\nsummary: S\nlicense: MIT\n{further}nodes:\n{nodes}"


OUTER = melody(
    "outer",
    "  leaf: {uses: acme/leaf@^2}\n  step: {uses: ./step}\n  inner: {uses: acme/inner@^1}\n",
    "outputs: {leaf: '${ leaf.value }', step: '${ step.value }', inner: '${ inner.seen }'}\n",
)
INNER = melody(
    "inner",
    "  leaf: {uses: acme/leaf@^1}\n  part: {uses: ./part}\n"
    "  seen: {uses: core/set, with: {v: '${ [leaf.value, part.value] }'}}\n",
    "outputs: {seen: '${ seen.v }'}\n",
)
PART = melody("part", "  step: {uses: ../step}\n", "outputs: {value: '${ step.value }'}\n")


def tree(**files: str) -> dict[str, Entry]:
    named = {path.replace("__", "/").replace("_yaml", ".yaml"): text for path, text in files.items()}
    return {path: Entry("100644", text.encode()) for path, text in named.items()}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    registry = a_registry()
    for name in ("acme/leaf", "acme/inner", "acme/outer"):
        registry.claim(name)
    for version in ("1.0.0", "2.0.0"):
        registry.publish("acme/leaf", version, tree(extension_yaml=extension("leaf", version)), SIGNER)
    inner = tree(
        melody_yaml=INNER,
        part__melody_yaml=PART,
        step__extension_yaml=extension("step-inner"),
    )
    registry.publish("acme/inner", "1.0.0", inner, SIGNER)
    outer = tree(melody_yaml=OUTER, step__extension_yaml=extension("step-outer"))
    registry.publish("acme/outer", "1.0.0", outer, SIGNER)
    with world(tmp_path / "home", registry) as made:
        yield made


def by_package(assignment: Any, sink: Any) -> Any:
    return {"value": assignment.package}


def run(home: Home, request: RunRequest, installed: Any = None) -> tuple[Any, Any]:
    assembled = assemble(request, home, installed)
    with begin(assembled, home) as session:
        state = session.execute(lambda *_: FunctionRuntime({"*": by_package}), lambda *_: None)
    return assembled, state


@pytest.mark.parametrize("kept", [True, False])
def test_nested_packages_of_a_registry_are_each_their_own(here: World, tmp_path: Path, kept: bool) -> None:
    here.install("acme/outer")
    place = locate("acme/outer", here.home)
    assert place.ready is not None
    request = RunRequest(
        place.path, tree=place.tree, work=tmp_path, ready=place.ready if kept else None, package=place.package
    )
    assembled, state = run(here.home, request, place.packages)
    assert state.status == "succeeded", state.error
    assert dict(state.outputs) == {
        "leaf": "acme/leaf@^2",
        "step": "./step",
        "inner": ["acme/leaf@1.0.0", "acme/inner@1.0.0:./step"],
    }
    packages = assembled.record.packages
    assert {key: (one.name, one.version) for key, one in packages.items()} == {
        "acme/leaf@^2": ("acme/leaf", "2.0.0"),
        "./step": ("step-outer", "1.0.0"),
        "acme/inner@^1": ("acme/inner", "1.0.0"),
        "acme/leaf@1.0.0": ("acme/leaf", "1.0.0"),
        "acme/inner@1.0.0:./part": ("part", "1.0.0"),
        "acme/inner@1.0.0:./step": ("step-inner", "1.0.0"),
    }
    assert packages["acme/inner@1.0.0:./step"].tree == packages["acme/inner@^1"].tree
    assert Path(packages["acme/inner@1.0.0:./step"].root).is_dir()
    assert load_state(assembled.folder, here.home).facts() == state.facts()


def test_what_was_kept_counts_for_the_versions_further_in_too(here: World) -> None:
    here.install("acme/outer")
    lock = here.home.lock.read_text()
    tree_of_leaf = next(
        line.split('"')[3]
        for line in lock.partition('"acme/leaf@1.0.0": {')[2].splitlines()
        if '"tree"' in line
    )
    assert locate("acme/outer", here.home).ready is not None
    flipped = tree_of_leaf[:-1] + ("0" if tree_of_leaf[-1] != "0" else "1")
    here.home.lock.write_text(lock.replace(tree_of_leaf, flipped))
    assert locate("acme/outer", here.home).ready is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "melody.yaml": melody(
            "root",
            "  sub: {uses: ./parts/sub, with: {n: '${ inputs.n }'}}\n",
            "inputs: {n: {schema: {type: integer}, default: 3}}\noutputs: {v: '${ sub.v }'}\n",
        ),
        "parts/sub/melody.yaml": melody(
            "sub",
            "  step: {uses: ../step}\n"
            "  root: {uses: ../.., when: 'inputs.n > 0', with: {n: '${ inputs.n - 1 }'}}\n"
            "  v: {uses: core/set, join: active, with: {v: '${ has(root.v) ? root.v + [inputs.n] : [inputs.n] }'}}\n"
            "connections: [step -> v]\n",
            "inputs: {n: {schema: {$ref: ../../n.json}}}\noutputs: {v: '${ v.v }'}\n",
        ),
        "parts/step/extension.yaml": extension("step"),
        "n.json": '{"type": "integer"}',
    }
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "root"


def test_folders_of_one_package_may_use_each_other(folder: Path, tmp_path: Path) -> None:
    assembled, state = run(Home.at(tmp_path / "home"), RunRequest(folder, work=tmp_path))
    assert state.status == "succeeded", state.error
    assert state.outputs["v"] == [0, 1, 2, 3]
    assert set(assembled.record.packages) == {"./parts/sub", "./parts/step"}
    assert state.nodes["sub/root/sub/root/sub/step"].status == "succeeded"
    assert set(assembled.melody.melodies) == {"./parts/sub"}


def test_everything_that_is_missing_is_named_from_wherever_it_is_used(folder: Path, tmp_path: Path) -> None:
    path = folder / "parts" / "sub" / "melody.yaml"
    path.write_text(path.read_text().replace("../step", "acme/gone@^1"))
    with pytest.raises(RunError, match="acme/gone@\\^1") as refused:
        assemble(RunRequest(folder, work=tmp_path), Home.at(tmp_path / "home"))
    assert refused.value.code == "PLY2408"


@pytest.mark.parametrize(
    ("outer", "inner", "refused"),
    [
        ("[acme/inner, acme/leaf]", "[acme/*]", ""),
        ("[acme/inner]", "[acme/*]", "'outer' uses acme/leaf by way of inner"),
        ("[acme/*]", "[acme/leaf]", ""),
        ("['*/inner']", "", "'outer' uses acme/leaf by way of inner"),
    ],
)
def test_a_melody_inside_brings_no_package_that_the_one_around_does_not_allow(
    tmp_path: Path, outer: str, inner: str, refused: str
) -> None:
    texts = {
        "outer/melody.yaml": melody(
            "outer", "  i: {uses: acme/inner@^1}\n", f"config: {{extensions: {outer}}}\n"
        ),
        "inner/melody.yaml": melody(
            "inner", "  l: {uses: acme/leaf@^1}\n", f"config: {{extensions: {inner}}}\n" if inner else ""
        ),
        "leaf/extension.yaml": extension("leaf"),
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    overrides = [f"acme/{name}={tmp_path / name}" for name in ("inner", "leaf")]
    request = RunRequest(tmp_path / "outer", overrides=overrides)
    if not refused:
        assemble(request, Home.at(tmp_path / "home"))
        return
    with pytest.raises(RunError, match=refused) as caught:
        assemble(request, Home.at(tmp_path / "home"))
    assert caught.value.code == "PLY3721"
