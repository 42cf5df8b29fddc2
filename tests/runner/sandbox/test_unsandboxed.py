"""No sandbox, on a person's word: no isolation, but bounds, and nothing that outlives the run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from polyphony_runner.sandbox import Exit, Mount, run_sandboxed
from polyphony_runner.sandbox.unsandboxed import host_path
from support.sandbox_box import QUICK, SYSTEM_PYTHON, Box, processes_with


def run(here: Box, *words: str, **fields: object) -> Exit:
    return asyncio.run(run_sandboxed(here.spec(*words, **fields), level="none"))


def test_paths_inside_become_paths_of_the_host(here: Box, tmp_path: Path) -> None:
    spec = here.spec("true", mounts=(Mount(tmp_path, "/ext"), Mount(tmp_path / "deep", "/ext/deep")))
    assert host_path(spec, "/ext/run.py") == str(tmp_path / "run.py")
    assert host_path(spec, "/ext/deep/x") == str(tmp_path / "deep" / "x")
    assert host_path(spec, "/ws") == str(here.work)
    assert host_path(spec, "/extra") == "/extra"


def test_runs_in_the_work_folder_with_a_clean_environment(here: Box) -> None:
    ended = run(here, "sh", "-c", "pwd; cat; echo $PYTEST_CURRENT_TEST; exit 4", stdin=b"in\n")
    assert (ended.kind, ended.status) == ("exit", 4)
    assert ended.stdout == f"{here.work}\nin\n\n".encode()


def test_daemons_are_ended_with_it_and_at_the_timeout(here: Box) -> None:
    marker = f"unsandboxed-{here.folder.name}"
    daemon = f"(setsid sh -c 'sleep 300 # {marker}' >/dev/null 2>&1 &)"
    assert run(here, "sh", "-c", f"{daemon}; echo up").stdout == b"up\n"
    assert processes_with(marker) == []
    ended = run(here, "sh", "-c", f"{daemon}; sleep 300", limits=replace(QUICK, wall=0.4))
    assert ended.kind == "timeout"
    assert processes_with(marker) == []


def test_limits_hold(here: Box) -> None:
    assert run(here, "yes", limits=replace(QUICK, stdout=1 << 16)).kind == "output"
    code = "b = bytearray(200 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1"
    assert run(here, SYSTEM_PYTHON, "-c", code, limits=replace(QUICK, memory=64 << 20)).kind == "memory"


def test_a_missing_program_is_unavailable(here: Box) -> None:
    assert run(here, "no-such-program").kind == "unavailable"
