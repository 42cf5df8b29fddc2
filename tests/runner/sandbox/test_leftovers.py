"""What a runner that was killed leaves behind is ended by the next one, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from polyphony_runner.sandbox.leftovers import MARK, runner_mark, sweep_leftovers

KILLED_BEFORE_RELEASE = """
import asyncio, os, signal, sys
from pathlib import Path
from polyphony_runner.sandbox import process
from polyphony_runner.sandbox import SandboxSpec, run_sandboxed

async def wait_created(self):
    await created(self)
    print(self.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

created = process.SandboxProcess.wait_created
process.SandboxProcess.wait_created = wait_created
work = Path(sys.argv[1])
asyncio.run(run_sandboxed(SandboxSpec(("/usr/bin/touch", "/ws/ran"), work)))
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_an_inert_sandbox_of_a_killed_runner_is_ended_and_its_program_never_ran(tmp_path: Path) -> None:
    work = tmp_path / "ws"
    work.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_RELEASE, str(work)], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    assert alive(pid), "the kernel ended it already: this test proves nothing"
    assert sweep_leftovers() >= 1
    assert ended(pid)
    assert not (work / "ran").exists()


def test_sandboxes_of_living_runners_and_foreign_processes_are_left_alone(tmp_path: Path) -> None:
    own = os.environ | {MARK: runner_mark()}
    stranger = os.environ | {MARK: "1:1:1"}
    copy = tmp_path / "bwrap"  # the name is what the sweep looks at first
    copy.write_bytes(Path("/usr/bin/sleep").read_bytes())
    copy.chmod(0o755)
    processes = [
        subprocess.Popen([str(copy), "60"], env=environment) for environment in (own, stranger, os.environ)
    ]
    try:
        sweep_leftovers()
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
