"""The bench ``sleepers``: sandboxed nodes that sleep, through a cluster of workers in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rounds import Sample, Subject

HERE = Path(__file__).parent
POLYPHONY = Path(sys.executable).with_name("polyphony")
WORKERS, SLOTS = 10, 10  # together the places of the sleeping nodes
SLEEPS = ((1_000, 1.0), (10_000, 0.1))
EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {{n: {{schema: {{}}}}}}
run: {{python: "node:main", warm: true}}
"""
NODE = """\
import time


def main(inputs, parameters, task, context):
    time.sleep({seconds})
"""
MELODY = """\
melody: v1
name: sleepers
version: 1.0.0
inputs: {{items: {{schema: {{type: array}}}}}}
nodes:
  each:
    for_each: {{items: "${{ inputs.items }}", as: item, max: {count}, parallel: {places}}}
    nodes: {{one: {{uses: ./step, with: {{n: "${{ item }}"}}}}}}
config: {{concurrency: {{run: {places}}}}}
"""


@contextlib.contextmanager
def sleepers() -> Iterator[Mapping[str, Subject]]:
    """1,000 × sleep(1) and 10,000 × sleep(0.1), each node sandboxed, over 100 places."""
    yield {f"{count:,} × sleep({seconds:g})": _sleeping(count, seconds) for count, seconds in SLEEPS}


def _sleeping(count: int, seconds: float) -> Subject:
    return lambda: _slept(count, seconds)


def _slept(count: int, seconds: float) -> Sample:
    """Seconds of the run from its first start to its end, and the share of what is ideal."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.cluster_servers import Postgres, Redis

    places = WORKERS * SLOTS
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _write(folder, count, seconds)
        postgres, redis = Postgres(("shared_buffers=128MB", "max_connections=200")), Redis()
        environment = {
            **os.environ,
            "POLYPHONY_CLUSTER_DATABASE": postgres.new_database(),
            "POLYPHONY_CLUSTER_REDIS": redis.url,
            "POLYPHONY_CLUSTER_ARTIFACTS": str(folder / "artifacts"),
        }
        workers = [_worker(folder / f"worker{number}", environment) for number in range(WORKERS)]
        try:
            words: list[str | Path] = [
                "run",
                folder / "melody",
                "--inputs",
                folder / "inputs.json",
                "--executor",
                "cluster",
            ]
            done = subprocess.run(
                [POLYPHONY, "--json", "--home", folder / "home", *words],
                env=environment,
                capture_output=True,
                check=False,
            )
            if done.returncode != 0:
                raise RuntimeError(done.stderr.decode()[-2000:] + done.stdout.decode()[-2000:])
            took = _seconds(folder / "home" / "runs" / json.loads(done.stdout)["run"] / "journal.jsonl")
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            for worker in workers:
                worker.wait(60)
            redis.stop()
            postgres.close()
    return {"run_s": took, "percent_of_ideal": 100 * count * seconds / places / took}


def _write(folder: Path, count: int, seconds: float) -> None:
    step = folder / "melody" / "step"
    step.mkdir(parents=True)
    (step / "extension.yaml").write_text(EXTENSION.format())
    (step / "node.py").write_text(NODE.format(seconds=seconds))
    (folder / "melody" / "melody.yaml").write_text(MELODY.format(count=count, places=WORKERS * SLOTS))
    (folder / "inputs.json").write_text(json.dumps({"items": list(range(count))}))


def _worker(home: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    words: Sequence[str | Path] = (POLYPHONY, "--home", home, "worker", "--slots", str(SLOTS))
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()  # that it works
    return process


def _seconds(journal: Path) -> float:
    from polyphony_runner.journal.file import read_journal

    events = [event for event in read_journal(journal) if event.type in ("run.started", "run.finished")]
    if len(events) != 2 or events[1].data["status"] != "succeeded":
        raise RuntimeError(f"the run ended with {events[-1].data}")
    return (events[1].at_ms - events[0].at_ms) / 1000
