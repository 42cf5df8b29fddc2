"""Warm Python nodes: the same answers as cold ones, faster, and nothing shared that may not be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.runtimes.protocol import Outcome, Success
from polyphony_schemas.graph.model import Limits
from support.runtimes_nodes import Bench

ANY: dict[str, object] = {"schema": {}}
SOURCE = """
import os
STATE = []
def main(inputs, parameters, task, context):
    STATE.append(1)
    if inputs.get('do') == 'crash':
        os.kill(os.getpid(), 9)
    if inputs.get('do') == 'sleep':
        import time
        time.sleep(60)
    if inputs.get('do') == 'litter':
        open('/tmp/litter', 'w').close()
    print('to the log')
    return {'out': [len(STATE), os.getppid(), os.listdir('/tmp'), context.secret('TOKEN'), os.listdir('.')]}
"""
MANIFEST: dict[str, Any] = {"run": {"warm": True}, "inputs": {"do": ANY}, "outputs": {"out": ANY}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, secrets={"TOKEN": "word-for-call-1"})


def several(bench: Bench, uses: str, calls: Sequence[dict[str, Any]]) -> list[Outcome]:
    async def run() -> list[Outcome]:
        try:
            return [await bench.run(uses, **call) for call in calls]
        finally:
            await bench.runtime.close()

    return asyncio.run(run())


def out(outcome: Outcome) -> list[Any]:
    assert isinstance(outcome, Success), outcome
    found = outcome.outputs["out"]
    assert isinstance(found, list)
    return found


def test_calls_share_a_worker_and_no_state(bench: Bench) -> None:
    first, second, third = (
        out(outcome) for outcome in several(bench, bench.python(SOURCE, **MANIFEST), [{}] * 3)
    )
    assert first == second == third
    assert (first[0], first[4]) == (1, [])
    assert bench.messages().count("to the log") == 3


def test_other_grants_and_secrets_get_another_worker(bench: Bench) -> None:
    uses = bench.python(SOURCE, **MANIFEST)
    secret = {"grants": {"secrets": ("TOKEN",)}}
    plain, with_secret, again = several(bench, uses, [{}, secret, {}])
    assert out(plain)[3] is None
    assert out(with_secret)[3] == "***"
    assert out(again)[3] is None


READS = """
def main(inputs, parameters, task, context):
    import pathlib
    path = pathlib.Path(inputs['path'])
    return {'out': [(path / 'file' if path.is_dir() else path).read_text()]}
"""


@pytest.mark.parametrize("granted", ["folder", "folder/file"])
@pytest.mark.parametrize("how", ["in its place", "for the file", "for the folder", "in a private folder"])
def test_every_call_sees_what_is_granted_as_it_is_now(bench: Bench, granted: str, how: str) -> None:
    path = {"schema": {"type": "string", "format": "path"}}
    permissions = {"read": ["${ inputs.path }"]}
    uses = bench.python(READS, **{**MANIFEST, "inputs": {"path": path}, "permissions": permissions})
    (bench.work / "folder").mkdir(mode=0o700 if how == "in a private folder" else 0o755)

    def write(text: str) -> None:
        folder, new = bench.work / "folder", bench.work / "new"
        if how == "for the file":
            new.write_text(text)
            new.replace(folder / "file")
        elif how == "for the folder":
            folder.rename(bench.work / f"before {text}")
            folder.mkdir()
            (folder / "file").write_text(text)
        else:
            (folder / "file").write_text(text)
            (folder / "file").chmod(0o600 if how == "in a private folder" else 0o644)

    async def run() -> list[Outcome]:
        outcomes = []
        try:
            for text in ("first", "second", "third"):
                write(text)
                call = {"inputs": {"path": granted}, "grants": {"read": (granted,)}}
                outcomes.append(await bench.run(uses, **call))
        finally:
            await bench.runtime.close()
        return outcomes

    assert [out(outcome) for outcome in asyncio.run(run())] == [["first"], ["second"], ["third"]]


def test_a_crash_or_litter_costs_the_worker_and_not_the_next_call(bench: Bench) -> None:
    uses = bench.python(SOURCE, **MANIFEST)
    crash, after, litter, clean = several(
        bench, uses, [{"inputs": {"do": "crash"}}, {}, {"inputs": {"do": "litter"}}, {}]
    )
    assert not isinstance(crash, Success)
    assert crash.kind == "crash"
    assert out(after)[0] == 1
    assert "litter" in out(litter)[2]
    assert out(clean)[2] == out(after)[2]


def test_the_time_of_a_call_is_bounded(bench: Bench) -> None:
    uses = bench.python(SOURCE, **MANIFEST)
    slow, next_one = several(bench, uses, [{"inputs": {"do": "sleep"}, "limits": Limits(timeout_ms=500)}, {}])
    assert not isinstance(slow, Success)
    assert slow.kind == "timeout"
    assert out(next_one)[0] == 1


def test_an_extension_that_cannot_be_imported_fails_as_it_would_cold(bench: Bench) -> None:
    (failure,) = several(bench, bench.python("import nothing_of_that_name\n", **MANIFEST), [{}])
    assert not isinstance(failure, Success)
    assert failure.kind == "exit"
    assert "nothing_of_that_name" in failure.message


def test_a_node_that_writes_files_is_run_cold(bench: Bench) -> None:
    file = {"schema": {"$ref": "urn:polyphony:file"}}
    source = "def main(i, p, t, c):\n    open('/out/f', 'w').write('x')\n    return {}\n"
    uses = bench.python(source, run={"warm": True}, outputs={"f": file})
    first, second = several(bench, uses, [{}, {}])
    assert isinstance(first, Success)
    assert isinstance(second, Success)


def test_a_worker_never_keeps_sight_of_a_folder_that_another_node_gets(bench: Bench) -> None:
    """Its extension can keep a process and a descriptor of every folder it was called in."""
    spy = bench.python(
        """
import os, sys, time
sys.modules['__main__'].clear = sys.modules['__main__'].left_over = list
if os.fork() == 0:
    folder = -1
    while True:
        try:
            folder = os.open('/ws/call-1', os.O_RDONLY) if folder < 0 else folder
            for name in os.listdir(folder):
                with open('/tmp/seen', 'a') as seen:
                    seen.write(name)
        except OSError:
            pass
        time.sleep(0.001)
def main(inputs, parameters, task, context):
    time.sleep(0.05)
    return {'out': os.path.exists('/tmp/seen') and open('/tmp/seen').read()}
""",
        **MANIFEST,
    )
    other = bench.python(
        """
import time
def main(inputs, parameters, task, context):
    open('private', 'w').close()
    time.sleep(0.05)
    return {'out': []}
""",
        outputs={"out": ANY},
    )

    async def calls() -> list[Outcome]:
        try:
            return [await bench.run(uses) for uses in (spy, other, spy)]
        finally:
            await bench.runtime.close()

    *_, last = asyncio.run(calls())
    assert isinstance(last, Success), last
    assert last.outputs["out"] is False
