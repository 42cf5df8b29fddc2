"""Threads and runners that die: the sandbox outlives the one and not the other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from polyphony_runner.sandbox import Exit, run_sandboxed
from polyphony_runner.sandbox.cgroup import own_layout, sweep
from support.sandbox_box import ROOT, Box, processes_with

RUNNER = """
import asyncio, sys, time
from pathlib import Path
from polyphony_runner.sandbox import SandboxSpec, run_sandboxed
from polyphony_runner.sandbox.process import SandboxProcess
mode, level, work, marker = sys.argv[1:]
def freeze(self):
    print("held", self.pid, flush=True)
    time.sleep(60)
if mode == "before":
    SandboxProcess.release = freeze
command = f"echo ran > /ws/ran; echo up; sleep 300 # {marker}"
spec = SandboxSpec(("sh", "-c", command), Path(work))
asyncio.run(run_sandboxed(spec, level=level, on_line=lambda line: print(line.decode(), flush=True)))
"""


def start_runner(mode: str, here: Box, marker: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'runner'}:{ROOT / 'schemas'}"}
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, mode, here.level, str(here.work), marker],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def gone(marker: str) -> bool:
    """True as soon as no process has the marker, False after a minute."""
    deadline = time.monotonic() + 60
    while processes_with(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_sandbox_outlives_the_thread_that_asked_for_it(here: Box) -> None:
    ended: list[Exit] = []
    loop = asyncio.new_event_loop()
    keeper = threading.Thread(target=loop.run_forever)
    keeper.start()

    def ask() -> None:
        spec = here.spec("sh", "-c", "sleep 0.3; echo alive")
        future = asyncio.run_coroutine_threadsafe(run_sandboxed(spec, level=here.level), loop)
        future.add_done_callback(lambda done: ended.append(done.result()))

    short = threading.Thread(target=ask)
    short.start()
    short.join()
    deadline = time.monotonic() + 60
    while not ended and time.monotonic() < deadline:
        time.sleep(0.02)
    loop.call_soon_threadsafe(loop.stop)
    keeper.join()
    loop.close()
    assert ended[0].stdout == b"alive\n"


def test_everything_dies_with_a_killed_runner(here: Box) -> None:
    marker = f"killed-runner-{here.folder.name}"
    with start_runner("running", here, marker) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "up\n"
        runner.kill()
        runner.wait()
    assert gone(marker)


def test_a_runner_killed_before_the_release_leaves_nothing_that_runs(here: Box) -> None:
    marker = f"held-runner-{here.folder.name}"
    with start_runner("before", here, marker) as runner:
        assert runner.stdout is not None
        word, pid = runner.stdout.readline().split()
        assert word == "held"
        runner.kill()
        runner.wait()
    time.sleep(0.2)
    assert not (here.work / "ran").exists()
    folder = own_layout().folder
    if folder is not None:  # inert, waiting for ever: what the next start sweeps
        sweep(folder)
        assert not list(folder.glob(f"polyphony-{runner.pid}-*"))
    elif Path("/proc", pid).exists():
        os.kill(int(pid), signal.SIGKILL)
    assert gone(marker)
    assert not (here.work / "ran").exists()


def test_paths_and_secrets_are_not_in_the_command_line_on_the_host(here: Box) -> None:
    seen: list[str] = []

    def look(_: bytes) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    seen.append((entry / "cmdline").read_bytes().decode("utf-8", "replace"))
                    if "bwrap" in seen[-1]:
                        seen.append((entry / "environ").read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue
        (here.work / "looked").touch()

    spec = here.spec(
        "sh",
        "-c",
        "echo now; while ! [ -e /ws/looked ]; do sleep 0.01; done",
        secrets={"TOKEN": b"a-secret-value"},
        env={"PRIVATE_SETTING": "another-secret-value"},
    )
    asyncio.run(run_sandboxed(spec, level=here.level, on_line=look))
    everything = "\\n".join(seen)
    assert "bwrap" in everything
    assert "secret-value" not in everything
    assert str(here.work) not in everything


def test_no_descriptor_is_left_open(here: Box) -> None:
    here.run("true")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        here.run("true")
        here.run("no-such-program")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
