"""The benches of the Conductor alone: fans and chains by the runtime that does nothing, ``core/`` nodes, its two functions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from unittest import mock

from rounds import Sample, Subject, telling, timed

HERE = Path(__file__).parent
FAN = 200
FANS = (1_000, 10_000)
RUNS, THREADS = 40, 8
EVENTS = (10, 1_000, 10_000)
THREE_STEPS = """\
melody: v1
name: three
version: 1.0.0
nodes:
  a: {uses: core/set, with: {value: 1}}
  b: {uses: core/set, with: {value: "${ a.value + 1 }"}}
  c: {uses: core/merge, with: {a: "${ a.value }", b: "${ b.value }"}}
outputs: {value: "${ c.value }"}
"""


@contextlib.contextmanager
def fan200() -> Iterator[Mapping[str, Subject]]:
    """200 nodes at once, then a join."""
    with tempfile.TemporaryDirectory() as text:
        yield {f"{FAN} no-op nodes, then a join": lambda: fan(Path(text), FAN)}


@contextlib.contextmanager
def fan10000() -> Iterator[Mapping[str, Subject]]:
    """A map over a thousand and ten thousand items, each run a process of its own, so that its memory is its own."""
    yield {
        f"a map over {width:,} items, no-op nodes, then a join": telling(
            [sys.executable, HERE / "engine.py", str(width)]
        )
        for width in FANS
    }


@contextlib.contextmanager
def core3() -> Iterator[Mapping[str, Subject]]:
    """Three ``core/`` nodes: many runs of one process, each with its journal and its signed head."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "melody.yaml").write_text(THREE_STEPS)
        yield {
            "one after the other": lambda: _core_runs(folder, threads=1),
            f"by {THREADS} threads": lambda: _core_runs(folder, threads=THREADS),
            "one after the other, no file synced": lambda: _unsynced(folder, threads=1),
            f"by {THREADS} threads, no file synced": lambda: _unsynced(folder, threads=THREADS),
        }


@contextlib.contextmanager
def event() -> Iterator[Mapping[str, Subject]]:
    """``evolve`` and ``decide`` for each event of a map and its join, no journal."""
    yield {f"{width:,} nodes": lambda width=width: _events(width) for width in EVENTS}  # type: ignore[misc]  # bound now


def fan(folder: Path, width: int) -> Sample:
    """One run of ``width`` nodes and a join; from the first event to the signed head, journal on disk."""
    from polyphony_runner.conductor.function_runtime import NoopRuntime
    from polyphony_runner.home import Home
    from polyphony_runner.runs.assemble import RunRequest, assemble
    from polyphony_runner.runs.session import begin

    _write_fan(folder / "melody", width)
    home = Home.at(folder / "home")
    (folder / "inputs.json").write_text(json.dumps({"items": list(range(width))}))
    inputs = folder / "inputs.json" if width in FANS else None
    assembled = assemble(RunRequest(folder / "melody", inputs_file=inputs), home)

    def work() -> None:
        with begin(assembled, home) as session:
            state = session.execute(lambda *_: NoopRuntime(), lambda _event, _state: None)
        if state.status != "succeeded":
            raise RuntimeError(f"the run {state.status}: {state.error}")

    return timed(work)


def _write_fan(folder: Path, width: int) -> None:
    step = folder / "step"
    step.mkdir(parents=True, exist_ok=True)
    (step / "extension.yaml").write_text(
        "extension: v1\nname: step\nversion: 1.0.0\nkind: operator\nrun: {python: 'node:main'}\n"
    )
    names = [f"n{i}" for i in range(width)]
    nodes = "".join(f"  {name}: {{uses: ./step}}\n" for name in names)
    inputs = ""
    if width in FANS:  # more than a melody may have nodes
        names, inputs = ["each"], "inputs: {items: {schema: {type: array}}}\n"
        loop = f'{{items: "${{ inputs.items }}", max: {width}, parallel: {width}}}'
        nodes = f"  each: {{for_each: {loop}, nodes: {{one: {{uses: ./step}}}}}}\n"
    wires = "".join(f"  - {name} -> last\n" for name in names)
    (folder / "melody.yaml").write_text(
        f"melody: v1\nname: fan\nversion: 1.0.0\n{inputs}"
        f"nodes:\n{nodes}  last: {{uses: ./step}}\nconnections:\n{wires}"
    )


def _core_runs(folder: Path, threads: int) -> Sample:
    """Milliseconds of one run (median), processor milliseconds of one (mean), and runs a second of all."""
    from polyphony_runner.conductor.function_runtime import NoopRuntime
    from polyphony_runner.home import Home
    from polyphony_runner.runs.assemble import RunRequest, assemble
    from polyphony_runner.runs.head import sign_head
    from polyphony_runner.runs.installed import Ready
    from polyphony_runner.runs.session import begin

    home = Home.at(folder / "home")
    ready = Ready(assemble(RunRequest(folder), home).melody, {})

    async def one() -> float:
        began = time.perf_counter()
        with begin(assemble(RunRequest(folder, ready=ready), home), home) as session:
            await session.conduct(lambda *_: NoopRuntime(), lambda _event, _state: None)
            sign_head(session.folder, session.journal, home.keys)
        if session.state.status != "succeeded":
            raise RuntimeError(f"the run {session.state.status}: {session.state.error}")
        return time.perf_counter() - began

    async def some(count: int) -> list[float]:
        return [await one() for _ in range(count)]

    cpu, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        each = [
            ms
            for part in pool.map(lambda _: asyncio.run(some(RUNS // threads)), range(threads))
            for ms in part
        ]
    seconds = time.perf_counter() - began
    return {
        "run_ms": median(each) * 1000,
        "runs_per_second": RUNS / seconds,
        "cpu_ms": (time.process_time() - cpu) / RUNS * 1000,
    }


def _unsynced(folder: Path, threads: int) -> Sample:
    """The same where nothing waits for the disk: what the promise of durability costs."""
    with mock.patch.object(os, "fsync"), mock.patch.object(os, "fdatasync"):
        return _core_runs(folder, threads)


def _events(width: int) -> Sample:
    """Microseconds an event, of evolving and deciding alone."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from polyphony_runner.artifacts import FolderArtifacts
    from polyphony_runner.conductor.decide import decide
    from polyphony_runner.conductor.evolve import evolve
    from polyphony_runner.conductor.moment import Draft, Moment
    from polyphony_runner.conductor.state import RunState
    from polyphony_runner.conductor.storage import ValueStore
    from polyphony_schemas.journal import Event
    from support.conductor_graphs import compiled, work

    loop = {"items": "${ inputs.items }", "max": width, "parallel": width}
    each = {"for_each": loop, "nodes": {"one": work()}}
    items = {"items": {"schema": {"type": "array"}}}
    melody = compiled(
        {"each": each, "last": work()}, ["each -> last"], inputs=items, config={"concurrency": {"run": width}}
    )
    with tempfile.TemporaryDirectory() as folder:
        state = RunState(melody, ValueStore(FolderArtifacts(Path(folder))))
        moment = Moment(1, 0.0)

        def record(draft: Draft) -> None:
            evolve(state, Event(state.next_seq, 1, draft.type, draft.node, draft.attempt, draft.data))

        cpu = time.process_time()
        record(Draft("run.created", data={"inputs": {"items": list(range(width))}}))
        record(Draft("run.started"))
        while not state.finished:
            while drafts := decide(state, moment):
                for draft in drafts:
                    record(draft)
            for path, attempt in tuple(state.running.items()):
                record(Draft("node.succeeded", path, attempt, {"outputs": {}}))
        used = time.process_time() - cpu
    return {"event_us": used / state.next_seq * 1e6}


def main(width: int) -> None:
    """One fan in this process; prints its figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        sample = fan(Path(folder), width)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    print(json.dumps({**sample, "node_us": sample["wall_ms"] / width * 1000, "peak_mb": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
