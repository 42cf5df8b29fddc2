"""Runs of one concurrency group, and nodes of all runs of a home, at once (docs/melody.md, docs/install.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.executor import LocalExecutor
from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.packages import PackageTable
from polyphony_runner.runs import control
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.features import refuse_on_a_cluster
from polyphony_runner.runs.places import MachinePlaces
from polyphony_runner.runs.session import Session, begin
from polyphony_runner.runtimes.protocol import Assignment, Runtime, Sink
from polyphony_schemas.values import JsonObject
from support.conductor_graphs import compiled, work

MELODY = """\
melody: v1
name: deploy
version: 1.0.0
inputs: {{site: {{schema: {{type: string}}, default: main}}}}
nodes: {{work: {{uses: ./work}}}}
config: {{concurrency: {{group: "${{ inputs.site }}", overlap: {overlap}}}}}
"""
EXTENSION = """\
extension: v1
name: work
version: 1.0.0
kind: operator
outputs: {value: {schema: {}}}
run: {python: "node:main"}
"""


class Site:
    """Where runs work; it counts how many are inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, assignment: Assignment, sink: Sink) -> JsonObject:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.set()
        try:
            await self.go_on.wait()
        finally:
            self.inside -= 1
        return {"value": 1}

    def runtime(self, packages: PackageTable, artifacts: FolderArtifacts, base: Path) -> Runtime:
        return FunctionRuntime({"*": self})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def start(tmp_path: Path, home: Home) -> Callable[..., Session]:
    def session(overlap: str = "queue", **inputs: str) -> Session:
        folder = tmp_path / overlap
        (folder / "work").mkdir(parents=True, exist_ok=True)
        (folder / "melody.yaml").write_text(MELODY.format(overlap=overlap))
        (folder / "work" / "extension.yaml").write_text(EXTENSION)
        (folder / "work" / "node.py").write_text("")
        given = [f"{name}={value}" for name, value in inputs.items()]
        return begin(assemble(RunRequest(folder, given, work=tmp_path), home), home)

    return session


def conduct(session: Session, site: Site) -> asyncio.Task[None]:
    return asyncio.ensure_future(session.conduct(site.runtime, lambda event, state: None))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def play(scene: Any) -> None:
    """Run a scene; its sessions listen to signals in turn, and leave the loop as they found it."""

    async def whole() -> None:
        async with asyncio.timeout(100):
            await scene()

    asyncio.run(whole())


def test_runs_of_a_group_follow_each_other_and_others_do_not_wait(start: Callable[..., Session]) -> None:
    async def scene() -> None:
        site = Site()
        first, second, other = start(), start(), start(site="other")
        tasks = [conduct(first, site)]
        await until(lambda: site.inside == 1)
        tasks += [conduct(second, site), conduct(other, site)]
        await until(lambda: site.inside == 2)
        assert second.state.started_ms is None
        assert second.state.status == "running"
        site.go_on.set()
        await asyncio.gather(*tasks)
        assert [one.state.status for one in (first, second, other)] == ["succeeded"] * 3
        assert site.most == 2
        for one in (first, second, other):
            one.journal.close()

    play(scene)


def test_skip_does_not_run_beside_another(start: Callable[..., Session]) -> None:
    async def scene() -> None:
        site = Site()
        first, second = start("skip"), start("skip")
        task = conduct(first, site)
        await until(lambda: site.inside == 1)
        await conduct(second, site)
        assert second.state.status == "cancelled"
        last = list(read_journal(second.folder.journal))[-1]
        assert last.data["reason"] == "overlap"
        site.go_on.set()
        await task
        for one in (first, second):
            one.journal.close()

    play(scene)


def test_cancel_ends_what_is_going_on_and_then_runs(start: Callable[..., Session]) -> None:
    async def scene() -> None:
        site = Site()
        first, second = start("cancel"), start("cancel")
        task = conduct(first, site)
        await until(lambda: site.inside == 1)
        follower = conduct(second, site)
        await task
        assert first.state.status == "cancelled"
        await until(lambda: site.inside == 1)
        site.go_on.set()
        await follower
        assert second.state.status == "succeeded"
        for one in (first, second):
            one.journal.close()

    play(scene)


def test_a_run_in_line_can_be_cancelled(start: Callable[..., Session]) -> None:
    async def scene() -> None:
        site = Site()
        first, second = start(), start()
        task = conduct(first, site)
        await until(lambda: site.inside == 1)
        follower = conduct(second, site)
        control.ask(second.folder, CancelRequest())
        await follower
        assert second.state.status == "cancelled"
        site.go_on.set()
        await task
        for one in (first, second):
            one.journal.close()

    play(scene)


def test_a_group_that_is_no_text_is_refused(tmp_path: Path, home: Home) -> None:
    (tmp_path / "melody.yaml").write_text(
        "melody: v1\nname: m\nversion: 1.0.0\nnodes: {a: {uses: core/set, with: {v: 1}}}\n"
        'config: {concurrency: {group: "${ 1 + 1 }"}}\n'
    )
    with pytest.raises(RunError) as refused:
        assemble(RunRequest(tmp_path / "melody.yaml", work=tmp_path), home)
    assert refused.value.code == "PLY2650"


def test_places_bound_the_nodes_of_all_executors(tmp_path: Path) -> None:
    async def scene() -> None:
        site = Site()
        places = [MachinePlaces(tmp_path / "places", 2) for _ in range(2)]
        executors = [LocalExecutor(FunctionRuntime({"*": site}), one) for one in places]
        done: list[object] = []
        for number, executor in enumerate(executors * 3):
            executor.start(_assignment(number, tmp_path), None, done.append)
        await until(lambda: site.inside == 2)
        site.go_on.set()
        await until(lambda: len(done) == 6)
        assert site.most == 2
        for executor in executors:
            await executor.close()

    play(scene)


def _assignment(number: int, work: Path) -> Assignment:
    from polyphony_schemas.graph.model import Limits
    from polyphony_schemas.values import NodePath, RunId

    return Assignment(
        run=RunId("r"),
        node=NodePath(f"n{number}"),
        attempt=1,
        package="./work",
        inputs={},
        parameters={},
        task={},
        grants={},
        limits=Limits(),
        deadline=None,
        work=work,
    )


def test_a_group_is_refused_on_a_cluster_where_it_would_not_hold() -> None:
    with pytest.raises(RunError, match="concurrency group"):
        refuse_on_a_cluster(compiled({"a": work()}, config={"concurrency": {"group": "x"}}))
    refuse_on_a_cluster(compiled({"a": work(mutex={"name": "site", "scope": "melody"})}))
