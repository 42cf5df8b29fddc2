"""Nodes at level landlock: what runs as at every level, and what is refused before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.grants.secrets import SecretSource
from polyphony_runner.package_index import PackageIndex
from polyphony_runner.packages import PackageTable
from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
from polyphony_runner.sandbox import landlock
from polyphony_schemas.graph.model import Limits
from support.runtimes_nodes import NO_INDEX, Bench

ANY: dict[str, object] = {"schema": {}}
PATH: dict[str, object] = {"schema": {"type": "string", "format": "path"}}
pytestmark = pytest.mark.skipif(
    landlock.abi() < landlock.OLDEST_ABI, reason=f"this kernel has Landlock {landlock.abi()}"
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, secrets={"TOKEN": "secret-value"})
    bench.runtime = SandboxedRuntime(
        PackageTable(bench.packages),
        bench.artifacts,
        bench.home,
        secrets=SecretSource(None, bench.secrets),
        index=PackageIndex(NO_INDEX),
        level="landlock",
    )
    return bench


def test_a_function_reads_what_it_is_granted_and_names_it_as_everywhere(bench: Bench) -> None:
    (bench.work / "notes").mkdir()
    (bench.work / "notes" / "a").write_text("text")
    source = (
        "import os\n"
        "def main(i, p, t, c):\n"
        "    place = i['path'] + '/a'\n"
        "    return {'text': open(place).read(), 'place': place}\n"
    )
    uses = bench.python(
        source, inputs={"path": PATH}, outputs={"text": ANY, "place": ANY}, run={"warm": True}
    )
    outputs = bench.succeed(uses, inputs={"path": "notes"}, grants={"read": ("notes",)})
    assert outputs == {"text": "text", "place": "a"}


def test_a_copy_is_reviewed_and_applied(bench: Bench) -> None:
    (bench.work / "src").mkdir()
    (bench.work / "src" / "old").write_text("old")
    source = (
        "import os\n"
        "def main(i, p, t, c):\n"
        "    open(i['path'] + '/new', 'w').write('new')\n"
        "    os.unlink(i['path'] + '/old')\n"
    )
    uses = bench.python(source, inputs={"path": PATH})
    bench.succeed(uses, inputs={"path": "src"}, grants={"write": ("src",)})
    assert [path.name for path in (bench.work / "src").iterdir()] == ["new"]


def test_a_command_writes_to_its_file_port(bench: Bench) -> None:
    uses = bench.extension(
        "copy",
        run={"command": ["cp", "${ inputs.path }", "/out/copy"]},
        inputs={"path": PATH},
        outputs={"copy": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    (bench.work / "file").write_text("content")
    outputs = bench.succeed(uses, inputs={"path": "file"}, grants={"read": ("file",)})
    copy = outputs["copy"]
    assert isinstance(copy, dict)
    assert bench.artifacts.file(str(copy["digest"])).read_text() == "content"


@pytest.mark.parametrize(
    ("grants", "word"),
    [({"network": ("example.com:443",)}, "network"), ({"secrets": ("TOKEN",)}, "secrets")],
)
def test_network_and_secrets_are_refused_before_the_node_starts(
    bench: Bench, grants: dict[str, tuple[str, ...]], word: str
) -> None:
    failure = bench.fail(bench.python("raise SystemExit(7)\n"), grants=grants)
    assert (failure.kind, failure.retryable) == ("unavailable", False)
    assert f"granted {word}" in failure.message
    assert "landlock" in failure.message


def test_protected_files_in_a_direct_grant_are_refused(bench: Bench) -> None:
    (bench.work / "project" / ".git").mkdir(parents=True)
    uses = bench.python("def main(i, p, t, c):\n    return {}\n", inputs={"path": PATH})
    failure = bench.fail(
        uses, inputs={"path": "project"}, grants={"write": ({"path": "project", "mode": "direct"},)}
    )
    assert (failure.kind, "protected files" in failure.message) == ("unavailable", True)


def test_the_limits_have_the_same_kinds(bench: Bench) -> None:
    loop = bench.python("def main(i, p, t, c):\n    while True: pass\n")
    assert bench.fail(loop, limits=Limits(timeout_ms=1500)).kind == "timeout"
