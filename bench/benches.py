"""The benches of packages and runs: what each one's subjects are."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cached import cached200
from compute import fib33
from dispatch import dispatch
from engine import core3, event, fan200, fan10000
from layers import layers, proxied
from rounds import Sample, Subject, measuring, telling, timed, whole_process
from scene import CHAIN, COLD_CHAIN, COLD_HELLO, HELLO, POLYPHONY, TASKS, WARM, served_scene
from sleeping import sleepers

PYTHON = Path(sys.executable)
ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
FIB = 10
PASS = {"python -c pass": measuring([PYTHON, "-c", "pass"])}


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench: its subjects for as long as the context lasts, how often, and what the first table row is held against.

    ``against`` and ``metric`` choose the row that ratios are taken of.
    """

    subjects: Callable[[], contextlib.AbstractContextManager[Mapping[str, Subject]]]
    rounds: int
    against: str
    metric: str
    note: str


@contextlib.contextmanager
def version() -> Iterator[Mapping[str, Subject]]:
    """``polyphony --version`` beside an empty Python."""
    yield {"polyphony --version": measuring([POLYPHONY, "--version"]), **PASS}


@contextlib.contextmanager
def cold() -> Iterator[Mapping[str, Subject]]:
    """An installed one-node melody from the command line."""
    with tempfile.TemporaryDirectory() as folder, served_scene(Path(folder)) as scene:
        home = scene.installed("reader", HELLO)

        def run() -> Sample:
            began = time.time()
            sample, out = whole_process([POLYPHONY, "--json", "--home", home, "run", f"ada/{HELLO}"])
            return {"node_started_ms": (_started(home, json.loads(out)["run"]) - began) * 1000, **sample}

        yield {f"polyphony run ada/{HELLO}": run, **PASS}


@contextlib.contextmanager
def chain40() -> Iterator[Mapping[str, Subject]]:
    """40 sequential fib(10)."""
    with tempfile.TemporaryDirectory() as folder, served_scene(Path(folder)) as scene:
        home = scene.installed("reader", HELLO, CHAIN, COLD_HELLO, COLD_CHAIN)
        words = [str(TASKS), str(FIB)]
        flow = [PYTHON, ROOT / "bench" / "flow.py", home]
        yield {
            "bare loop, one process": telling([PEER_PYTHON, PEERS / "bare.py", "loop", *words]),
            "bare Python process for each task": telling([PEER_PYTHON, PEERS / "bare.py", "spawn", *words]),
            "Luigi": telling([PEER_PYTHON, PEERS / "luigi_flow.py", *words]),
            "DBOS": telling([PEER_PYTHON, PEERS / "dbos_flow.py", *words]),
            "Polyphony, sandboxed, warm": telling([*flow, f"ada/{HELLO}", f"ada/{CHAIN}"]),
            "Polyphony, sandboxed, cold processes": telling(
                [*flow, f"ada/{COLD_HELLO}", f"ada/{COLD_CHAIN}"]
            ),
            "polyphony run, whole command, warm": measuring(
                [POLYPHONY, "--home", home, "run", f"ada/{CHAIN}"]
            ),
        }


@contextlib.contextmanager
def verify() -> Iterator[Mapping[str, Subject]]:
    """Steps 1 to 6 of one package over the bytes that were kept at install."""
    from polyphony_runner.home import Home
    from polyphony_runner.install.proof import decode_proof
    from polyphony_runner.locking import read_lock
    from polyphony_runner.registries.table import Registries
    from polyphony_runner.store import FolderStore
    from polyphony_schemas.trust import verification
    from polyphony_schemas.values import Digest, TreeId

    name, number, calls = f"ada/{WARM}", "1.0.0", 20
    with tempfile.TemporaryDirectory() as folder, served_scene(Path(folder)) as scene:
        home = Home.at(scene.installed("reader", WARM))
        lock = read_lock(home.lock)
        assert lock is not None
        kept = FolderStore(home.store).read_beside(TreeId(lock.packages[f"{name}@{number}"].tree), "proof")
        assert kept is not None
        proof = decode_proof(kept)
        rules = [binding.rules() for binding in Registries(home).all()]

        def once() -> None:
            now = int(time.time())
            binding = verification.check_name(name, rules)
            point = verification.check_checkpoint(proof.note, binding, consistency=lambda *_: [], now=now)
            history = verification.verify_history(name, proof.evidence, point, binding=binding, now=now)
            verification.verify_version(
                history,
                number,
                binding=binding,
                consent=verification.Consent(),
                fetch_bundle=lambda digest: proof.bundle(Digest(digest)),
                now=now,
            )

        def some() -> Sample:
            def several() -> None:
                for _ in range(calls):
                    once()

            sample = timed(several)
            return {metric: value / calls for metric, value in sample.items()}

        yield {"steps 1 to 6": some}


@contextlib.contextmanager
def install() -> Iterator[Mapping[str, Subject]]:
    """One package over loopback into an empty store, beside git."""
    with tempfile.TemporaryDirectory() as folder, served_scene(Path(folder)) as scene:
        bound = scene.home("bound")
        target = Path(folder) / "target"

        def fresh() -> Path:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(bound, target)
            return target

        def command() -> Sample:
            home = fresh()
            return whole_process([POLYPHONY, "--home", home, "install", "--global", f"ada/{WARM}"])[0]

        def inside() -> Sample:
            return _install(fresh())

        def clone() -> Sample:
            shutil.rmtree(target, ignore_errors=True)
            return whole_process(
                ["git", "clone", "--quiet", "--depth", "1", f"{scene.url}/git/ada/{WARM}.git", target]
            )[0]

        yield {
            "git clone --depth 1": clone,
            "polyphony install, whole command": command,
            "install, in process": inside,
            **PASS,
        }


def _install(folder: Path) -> Sample:
    from polyphony_runner.home import Home
    from polyphony_runner.http import Transport
    from polyphony_runner.install import installing
    from polyphony_runner.registries.table import Registries
    from polyphony_schemas.names import parse_package

    home = Home.at(folder)
    request = installing.Request(lock_path=home.lock, references=[parse_package(f"ada/{WARM}")])

    def work() -> None:
        with Transport() as transport:
            installing.install(Registries(home), transport, request)

    return timed(work)


def _started(home: Path, run: str) -> float:
    """When the first node of a run was started, in Unix seconds, as its journal says."""
    for line in (home / "runs" / run / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["type"] == "node.started":
            return datetime.fromisoformat(event["at"]).timestamp()
    raise RuntimeError(f"the run {run} started no node")


def git_version() -> str:
    """Which git stands beside us."""
    return subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()


BENCHES = {
    "version": Bench(version, 15, "python -c pass", "wall_ms", "target: at most 3 × `python -c pass`"),
    "cold": Bench(
        cold,
        15,
        "python -c pass",
        "wall_ms",
        "`node_started_ms`: from the command line to the journal's `node.started`; target: less than 300 ms over "
        "`python -c pass`",
    ),
    "chain40": Bench(
        chain40,
        9,
        "DBOS",
        "flow_ms",
        "40 sequential fib(10). Only Polyphony isolates its tasks; its every step is on the disk (fdatasync) before "
        "the next one starts. Targets: warm at most DBOS; cold at most the bare processes + 480 ms",
    ),
    "verify": Bench(verify, 9, "", "wall_ms", "one package, one managed key; target: less than 2 ms"),
    "install": Bench(
        install,
        9,
        "git clone --depth 1",
        "wall_ms",
        "an empty store each time; both write the same files, Polyphony verifies, syncs and locks them too; target: at "
        "most git",
    ),
    "cached200": Bench(
        cached200,
        9,
        "",
        "wall_ms",
        "nothing is executed, every run is in another checkout; from the first event to the signed head, journal on disk; "
        "target: less than 200 ms",
    ),
    "fan200": Bench(
        fan200, 9, "", "wall_ms", "journal on disk, no program started; target: less than 500 ms"
    ),
    "fan10000": Bench(
        fan10000,
        3,
        "",
        "wall_ms",
        "journal on disk, no program started; `node_us` and `peak_mb` (of the whole process) of ten thousand beside a "
        "thousand; targets: at most 1.5 × per node, less than 250 MB",
    ),
    "core3": Bench(
        core3,
        5,
        "",
        "run_ms",
        "three `core/` nodes, `polyphony run`'s own path in one process: graph and record synced, every append of the journal "
        "synced, head signed and synced; beside the same without any sync. Targets: a median below 15 ms, more than 300 "
        "runs a second",
    ),
    "event": Bench(
        event, 5, "", "event_us", "processor time of `evolve` and `decide`; target: less than 40 µs"
    ),
    "fib33": Bench(
        fib33,
        3,
        "bare loop, one process",
        "flow_ms",
        "`overhead_percent`: of the whole flow over what its own nodes say they computed; target: less than 2",
    ),
    "layers": Bench(
        layers,
        25,
        "true, bare",
        "wall_ms",
        "from the call to the verdict; targets: a cold Python at most the bare one + 12 ms, a warm call less than 4 ms",
    ),
    "proxy": Bench(
        proxied, 9, "direct", "mb_per_s", "one stream over loopback; target: at least 70 % of the direct one"
    ),
    "sleepers": Bench(
        sleepers,
        1,
        "",
        "run_s",
        "a cluster of 10 workers with 10 places, sandbox on; targets: 90 % of ideal for the long ones; for the short ones 70 % "
        "of the floor, which is a warm call × 10,000 / cores",
    ),
    "dispatch": Bench(
        dispatch,
        2,
        "",
        "nodes_per_second",
        "10 worker processes with 10 places each, PostgreSQL and Redis on the same cores; every start and end is journaled, "
        "commits are durable, no program is started; `cpu_ms_per_node` is user and system time of workers, PostgreSQL and "
        "Redis; target: more than 2,000 nodes/s",
    ),
}
