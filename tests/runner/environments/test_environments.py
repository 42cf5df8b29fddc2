"""Tool environments, built for real by uv in the sandbox from an index on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.environments import Environments
from polyphony_runner.environments.collecting import collect_environments
from polyphony_runner.package_index import IndexSettings, PackageIndex
from polyphony_runner.runtimes.failures import NodeError
from support.runtimes_index import Index, locked, sdist, serving, wheel
from support.runtimes_nodes import Bench

SOURCE = "import sys\n\ndef main():\n    print('tool', sys.argv[1:])\n\nANSWER = 42\n"


@pytest.fixture
def index() -> Iterator[Index]:
    with serving(Index()) as running:
        yield running


def environments(folder: Path, index: Index) -> Environments:
    return Environments(folder, PackageIndex(IndexSettings(indexes=(index.url,))))


def test_an_extension_imports_and_starts_what_its_requirements_lock(tmp_path: Path, index: Index) -> None:
    data = index.add("demotool", wheel("demotool", "1.0", SOURCE))
    bench = Bench(tmp_path, IndexSettings(indexes=(index.url,)))
    uses = bench.python(
        "import demotool, subprocess\n"
        "def main(i, p, t, c):\n"
        "    out = subprocess.run(['demotool', 'x'], capture_output=True, text=True)\n"
        "    return {'out': [demotool.ANSWER, demotool.__file__, out.stdout, out.stderr]}\n",
        files={"requirements.lock": locked("demotool", "1.0", data)},
        run={"requirements": "requirements.lock"},
        outputs={"out": {"schema": {}}},
    )
    out = bench.succeed(uses)["out"]
    assert isinstance(out, list)
    answer, place, stdout, stderr = out
    assert (answer, stdout, stderr) == (42, "tool ['x']\n", "")
    (environment,) = [path for path in bench.home.environments.iterdir() if path.is_dir()]
    assert str(place).startswith(str(environment))
    assert environment.stat().st_mode & 0o222 == 0
    assert all(path.lstat().st_mode & 0o222 == 0 for path in environment.rglob("*") if not path.is_symlink())
    assert list(environment.rglob("__pycache__/demotool*.pyc"))
    asked = len(index.requests)
    bench.succeed(uses)
    assert len(index.requests) == asked


def test_two_builders_make_one_environment_and_clear_what_a_killed_one_left(
    tmp_path: Path, index: Index
) -> None:
    data = index.add("demotool", wheel("demotool", "1.0", SOURCE))
    requirements = locked("demotool", "1.0", data)

    first, second = environments(tmp_path / "envs", index), environments(tmp_path / "envs", index)
    left = tmp_path / "envs" / f".{first.digest(requirements)}.tmp-dead/work/environment"
    left.mkdir(parents=True)

    async def both() -> None:
        made = await asyncio.gather(first.ensure(requirements), second.ensure(requirements))
        assert made[0].path == made[1].path

    asyncio.run(both())
    assert sum("/files/" in request for request in index.requests) == 1
    assert not left.exists()
    assert {path.suffix for path in (tmp_path / "envs").glob(".*")} == {".lock", ".used"}


def refusal(folder: Path, index: Index, requirements: bytes) -> NodeError:
    with pytest.raises(NodeError) as caught:
        asyncio.run(environments(folder, index).ensure(requirements))
    assert [path for path in folder.glob("*") if path.is_dir()] == []
    return caught.value


def test_a_requirement_without_a_wheel_is_refused_and_not_built(tmp_path: Path, index: Index) -> None:
    data = index.add("onlysource", sdist("onlysource", "1.0"))
    error = refusal(tmp_path / "envs", index, locked("onlysource", "1.0", data))
    assert (error.kind, error.code) == ("dependency", "PLY3602")
    assert "onlysource" in error.message


def test_another_hash_is_refused(tmp_path: Path, index: Index) -> None:
    index.add("demotool", wheel("demotool", "1.0", SOURCE))
    error = refusal(tmp_path / "envs", index, locked("demotool", "1.0", b"other bytes"))
    assert (error.kind, error.code, error.retryable) == ("dependency", "PLY3603", False)


def test_a_version_that_nobody_has_is_a_dependency_error(tmp_path: Path, index: Index) -> None:
    data = index.add("demotool", wheel("demotool", "1.0", SOURCE))
    error = refusal(tmp_path / "envs", index, locked("demotool", "2.0", data))
    assert (error.kind, error.code) == ("dependency", "PLY3604")


@pytest.mark.parametrize(
    "line",
    [
        "demotool",
        "demotool==1.0",
        "-r other.txt",
        "--index-url http://x",
        "demotool @ http://x/y.whl",
        "-e .",
        f"demotool==1.0 ; python_version > '3' --index-url http://x --hash=sha256:{'0' * 64}",
        f"demotool==1.0 ; python_version > '${{UV_DEFAULT_INDEX}}' --hash=sha256:{'0' * 64}",
    ],
)
def test_requirements_hold_pinned_names_with_hashes_alone(tmp_path: Path, index: Index, line: str) -> None:
    assert refusal(tmp_path / "envs", index, line.encode()).code == "PLY3601"
    assert index.requests == []


def test_credentials_reach_the_index_and_are_never_shown(tmp_path: Path) -> None:
    with serving(Index(password="hidden-word-1")) as index:
        data = index.add("demotool", wheel("demotool", "1.0", SOURCE))
        asyncio.run(environments(tmp_path / "good", index).ensure(locked("demotool", "1.0", data)))
        error = refusal(tmp_path / "envs", index, locked("demotool", "1.0", b"other"))
    assert "hidden-word-1" not in f"{error.message} {error.trace}"


def test_an_index_that_cannot_be_reached_is_a_network_error(tmp_path: Path) -> None:
    with serving(Index()) as gone:
        pass
    error = refusal(tmp_path / "envs", gone, locked("demotool", "1.0", b""))
    assert (error.kind, error.code) == ("network", "PLY3702")


def test_what_nobody_has_used_for_long_is_removed_and_made_again(tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "envs"
    requirements = locked("demotool", "1.0", index.add("demotool", wheel("demotool", "1.0", SOURCE)))
    made = environments(folder, index)
    path = asyncio.run(made.ensure(requirements)).path
    later = time.time() + 3600
    assert list(collect_environments(folder, before=later)) == [], (
        "somebody may start its programs at any time"
    )
    assert list(collect_environments(folder, before=time.time() - 3600)) == []
    del made
    gc.collect()
    assert list(collect_environments(folder, before=time.time() - 3600)) == [], "it is young"
    (size,) = collect_environments(folder, before=later, dry_run=True)
    assert size > 0
    assert path.is_dir()
    assert list(collect_environments(folder, before=later)) == [size]
    assert not path.exists()
    assert not list(folder.glob(".removed-*"))
    assert asyncio.run(environments(folder, index).ensure(requirements)).path.is_dir()


def test_an_environment_of_an_older_version_counts_from_its_making(tmp_path: Path) -> None:
    path = tmp_path / ("ab" * 32)
    path.mkdir()
    os.utime(path, (1000, 1000))
    assert list(collect_environments(tmp_path, before=900)) == []
    assert list(collect_environments(tmp_path, before=2000, dry_run=True)) == [0]
    assert list(collect_environments(tmp_path, before=2000)) == [0]
    assert not path.exists()
    assert list(collect_environments(tmp_path / "nowhere", before=2000)) == []


def test_an_environment_that_is_there_needs_no_network(tmp_path: Path, index: Index) -> None:
    requirements = locked("demotool", "1.0", index.add("demotool", wheel("demotool", "1.0", SOURCE)))
    path = asyncio.run(environments(tmp_path / "envs", index).ensure(requirements)).path
    asked = list(index.requests)
    nowhere = PackageIndex(IndexSettings(indexes=("http://127.0.0.1:1/simple",)))
    again = asyncio.run(Environments(tmp_path / "envs", nowhere).ensure(requirements))
    assert (again.path, index.requests) == (path, asked)
