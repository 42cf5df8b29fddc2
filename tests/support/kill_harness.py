"""Kills runs and counts what survived: real ``run`` and ``resume`` processes, SIGKILL at aimed moments.

Each node's last act appends ``run path attempt`` to a file outside the system (granted to it as a direct write), so
what really happened is known without asking the journal. Two aims: *inside a node* (some time after a start became
visible in the journal) and *between an append and its effect* (as soon as the start became visible).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from polyphony_runner.journal.file import read_journal
from polyphony_schemas.journal import Event

Mode = Literal["sandbox", "function"]
_POLL_SECONDS = 0.0005
_PATIENCE_SECONDS = 300.0

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {out: {schema: {type: string, format: path}}, after: {schema: {}, required: false}}
outputs: {value: {schema: {type: integer}}}
permissions: {write: [{path: "${ inputs.out }", mode: direct}]}
run: {python: "node:main"}
"""

NODE = """\
import os
import time


def main(inputs, parameters, task, context):
    time.sleep(0.05 + (sum(map(ord, context.node)) * 37 % 151) / 1000)
    line = f"{context.run} {context.node} {context.attempt}\\n".encode()
    descriptor = os.open(os.path.join(inputs["out"], "acts"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(descriptor, line)
    os.close(descriptor)
    return {"value": 1}
"""


def chaos_melody() -> str:
    """A chain, a fan, a map and a loop: each kind of progress a kill can interrupt."""
    grant = 'permissions: {write: [{path: "${ inputs.out }", mode: direct}]}'
    given = 'out: "${ inputs.out }"'
    lines = [
        "melody: v1",
        "name: chaos",
        "version: 1.0.0",
        "inputs: {out: {schema: {type: string, format: path}}}",
        "nodes:",
        f"  a: {{uses: ./nodes/step, with: {{{given}}}, {grant}}}",
        f'  b: {{uses: ./nodes/step, with: {{{given}, after: "${{ a.value }}"}}, {grant}}}',
    ]
    fan = [f"f{number}" for number in range(4)]
    lines += [
        f'  {name}: {{uses: ./nodes/step, with: {{{given}, after: "${{ b.value }}"}}, {grant}}}'
        for name in fan
    ]
    lines += [
        "  joined: {uses: core/merge, with: {"
        + ", ".join(f'{name}: "${{ {name}.value }}"' for name in fan)
        + "}}",
        "  each:",
        '    for_each: {items: "${ joined.value.f0 == 1 ? [1, 2, 3, 4, 5, 6] : [] }", as: item, parallel: 3}',
        f"    nodes: {{one: {{uses: ./nodes/step, with: {{{given}}}, {grant}}}}}",
        '    outputs: {value: "${ one.value }"}',
        "  rounds:",
        '    until: "n.value >= 3"',
        "    max: 5",
        '    state: {n: "${ size(each.value) - 6 }"}',
        "    nodes:",
        f"      work: {{uses: ./nodes/step, with: {{{given}}}, {grant}}}",
        '      n: {uses: core/set, with: {value: "${ state.n + work.value }"}}',
        '    next: {n: "${ n.value }"}',
        '    outputs: {n: "${ n.value }"}',
        'outputs: {n: "${ rounds.n }"}',
        "config:",
        '  permissions: {write: [{path: "${ inputs.out }", mode: direct}]}',
        "  concurrency: {run: 3}",
    ]
    return "\n".join(lines) + "\n"


@dataclass
class ChaosReport:
    """What came of it. ``ok`` says whether the whole holds."""

    seed: int
    mode: str
    kills: int = 0
    kills_with_node_in_flight: int = 0
    kills_between_append_and_effect: int = 0
    in_flight_nodes_executed_again: int = 0
    completed_nodes_executed_twice: int = 0
    acts_missing: int = 0
    runs: int = 0
    runs_lost: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def aimed_well(self) -> bool:
        """Whether enough kills hit a node that ran; a machine that is busy makes some come late."""
        return self.in_flight_nodes_executed_again > 0 and self.kills_with_node_in_flight >= 0.7 * self.kills

    @property
    def ok(self) -> bool:
        return (
            self.completed_nodes_executed_twice == 0
            and self.acts_missing == 0
            and self.runs_lost == 0
            and self.aimed_well
        )

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "ok": self.ok}, indent=1)


class Chaos:
    """One campaign in one folder."""

    def __init__(self, folder: Path, seed: int, mode: Mode) -> None:
        self.random = Random(seed)
        self.report = ChaosReport(seed, mode)
        self.mode = mode
        self.home = folder / "home"
        self.melody = folder / "chaos"
        self.out = folder / "out"
        self.out.mkdir()
        self.home.mkdir(mode=0o700)
        step = self.melody / "nodes" / "step"
        step.mkdir(parents=True)
        (self.melody / "melody.yaml").write_text(chaos_melody())
        (step / "extension.yaml").write_text(EXTENSION)
        (step / "node.py").write_text(NODE)
        # The sandbox maps nodes to users of their own: the file outside must let them write.
        self.out.chmod(0o777)
        (self.out / "acts").touch()
        (self.out / "acts").chmod(0o666)
        self.digest = self._permissions_digest()

    def campaign(self, kills: int) -> ChaosReport:
        """Kill until ``kills`` are reached, let every run end, compare with the acts; again while the aim was bad."""
        began = time.monotonic()
        wanted = kills
        while self.report.kills < wanted:
            self._one_run(wanted)
            if self.report.kills == wanted and not self.report.aimed_well and wanted < 4 * kills:
                wanted += 1
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    def _one_run(self, kills: int) -> None:
        self.report.runs += 1
        process, run = self._start()
        while True:
            if self.report.kills < kills and self._kill_at_a_moment(process, run):
                process = self._resume(run)
                continue
            self._wait(process)
            break
        self._compare(run)

    def _start(self) -> tuple[subprocess.Popen[bytes], str]:
        words = ["run", str(self.melody), "--input", f"out={self.out}", "--accept-permissions", self.digest]
        process = self._spawn(words)
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.match(rb"run (r_[0-9a-z]{26})", line):
                return process, found[1].decode()
        raise AssertionError(f"no run id, status {process.wait()}")

    def _resume(self, run: str) -> subprocess.Popen[bytes]:
        return self._spawn(["resume", run])

    def _spawn(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        main = [sys.executable, "-m", "polyphony_cli.main"]
        if self.mode == "function":
            main = [sys.executable, str(Path(__file__).with_name("kill_child.py"))]
        environment = {**os.environ, "POLYPHONY_HOME": str(self.home)}
        return subprocess.Popen(
            [*main, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _kill_at_a_moment(self, process: subprocess.Popen[bytes], run: str) -> bool:
        """Wait for a random start in the journal, aim, kill. False when the run ended before."""
        journal = self.home / "runs" / run / "journal.jsonl"
        offset = journal.stat().st_size
        wanted, seen = self.random.randint(1, 4), 0
        at_once = self.random.random() < 0.3
        # Core nodes and scopes start no program and are never "ready": starts of programs alone are aimed at.
        programs = {event.node for event in read_journal(journal) if event.type == "node.ready"}
        while seen < wanted:
            if process.poll() is not None:
                return False
            lines, offset = _new_lines(journal, offset)
            for line in lines:
                event = json.loads(line)
                if event["type"] == "node.ready":
                    programs.add(event["node"])
                seen += event["type"] == "node.started" and event["node"] in programs
            if seen < wanted:
                time.sleep(_POLL_SECONDS)
        if at_once:
            self.report.kills_between_append_and_effect += 1
        else:
            time.sleep(self.random.uniform(0.005, 0.15))
        if process.poll() is not None:
            return False
        process.kill()
        process.wait()
        _drain(process)
        self.report.kills += 1
        self.report.kills_with_node_in_flight += bool(in_flight(read_journal(journal)))
        return True

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        try:
            _, said = process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.report.problems.append("a process did not end")
            return
        if process.returncode != 0:
            self.report.problems.append(
                f"status {process.returncode}: {said[-400:].decode(errors='replace')}"
            )

    def _compare(self, run: str) -> None:
        """The journal's account against the acts."""
        events = list(read_journal(self.home / "runs" / run / "journal.jsonl"))
        finished = events[-1].type == "run.finished" and events[-1].data["status"] == "succeeded"
        self.report.runs_lost += not finished
        if not finished:
            self.report.problems.append(f"{run} ended with {events[-1].type} {events[-1].data}")
        acts = Counter(tuple(line.split()) for line in (self.out / "acts").read_text().splitlines())
        mine = {(path, int(attempt)): n for (one, path, attempt), n in acts.items() if one == run}
        core = {"joined", "each", "rounds"}
        for event in events:
            path = event.node or ""
            if event.type != "node.succeeded" or path in core or path.endswith("/n"):
                continue
            attempt = event.attempt or 0
            again = sum(n for (acted, number), n in mine.items() if acted == path and number > attempt)
            times = mine.get((path, attempt), 0)
            self.report.acts_missing += times == 0
            self.report.completed_nodes_executed_twice += again + max(0, times - 1)
            self.report.in_flight_nodes_executed_again += attempt > 1

    def _permissions_digest(self) -> str:
        words = [sys.executable, "-m", "polyphony_cli.main", "--json", "run", str(self.melody)]
        environment = {**os.environ, "POLYPHONY_HOME": str(self.home)}
        done = subprocess.run(
            [*words, "--input", f"out={self.out}"], env=environment, capture_output=True, check=False
        )
        return str(json.loads(done.stdout)["error"]["details"]["digest"])


def in_flight(events: Iterator[Event]) -> set[str]:
    """Attempts of programs that were started and of whose end the journal knows nothing."""
    ready: set[str] = set()
    running: set[str] = set()
    for event in events:
        path = event.node or ""
        if event.type == "node.ready":
            ready.add(path)
        elif event.type == "node.started" and path in ready:
            running.add(path)
        elif event.type == "run.resumed":
            running.clear()
        elif event.type in ("node.succeeded", "node.failed", "node.retrying", "node.cancelled"):
            running.discard(path)
    return running


def _new_lines(journal: Path, offset: int) -> tuple[list[bytes], int]:
    try:
        with journal.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = data.rfind(b"\n") + 1
    return data[:whole].splitlines(), offset + whole


def _drain(process: subprocess.Popen[bytes]) -> None:
    if process.stderr is not None:
        process.stderr.close()
