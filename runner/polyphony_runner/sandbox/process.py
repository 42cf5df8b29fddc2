"""One bubblewrap process: spawned, held at its block descriptor, released, proved dead.

Order of steps (each has a reason in ``docs/sandbox.md``): spawn with the write end of the block pipe also passed
as ``--sync-fd`` (so a dying runner never reads as "go") → ``child-pid`` from the status descriptor → pidfd of
that process, pid 1 of the sandbox → bounds from outside → one byte → … → the pidfd turns readable only when the
whole tree is dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from polyphony_runner.sandbox.argv import Options
from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.leftovers import MARK, runner_mark, sweep_leftovers_once
from polyphony_runner.sandbox.stdio import readable

# The kernel sends the parent-death signal when the spawning *thread* ends, so all spawns happen in one thread
# that lives as long as the runner.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-spawn")
START_SECONDS = 30.0
DEATH_SECONDS = 10.0
SPAWN_PATH = {"PATH": "/usr/bin:/bin"}


class StartError(Exception):
    """bubblewrap ended before the sandbox existed; the message is what it said."""


@dataclass(slots=True)
class SandboxProcess:
    """A spawned bubblewrap and its descriptors. All pipe ends are non-blocking; -1 is closed."""

    popen: subprocess.Popen[bytes]
    bwrap_pidfd: int
    status: int
    block: int
    stdin: int
    stdout: int
    stderr: int
    pid: int = 0
    pidfd: int = -1
    cpu_seconds: float = 0.0
    end_signal: int = signal.SIGKILL
    _status_bytes: bytearray = field(default_factory=bytearray)

    async def wait_created(self) -> None:
        """Read the status until ``child-pid``; StartError when it ends before."""
        async with asyncio.timeout(START_SECONDS):
            while not self.pid:
                try:
                    chunk = os.read(self.status, 4096)
                except BlockingIOError:
                    await readable(self.status)
                    continue
                if not chunk:
                    raise StartError("bubblewrap ended before the sandbox was made")
                self._status_bytes += chunk
                self.pid = self._field("child-pid") or 0
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            raise StartError("the sandbox's first process ended while it was made") from None

    def release(self) -> None:
        """Let the program begin."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.block, b"\n")
        self.close_fd("block")

    def kill(self) -> None:
        """SIGKILL to pid 1 of the sandbox, which takes its whole namespace along; else to bubblewrap.

        Does nothing when both are dead.
        """
        fd = self.pidfd if self.pidfd >= 0 else self.bwrap_pidfd
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, self.end_signal)

    async def wait_dead(self) -> None:
        """Return when no process of the tree is left and bubblewrap is reaped.

        TimeoutError when a killed tree stays (a process stuck in the kernel); call after ``kill`` or at the end.
        """
        if self.pidfd >= 0:
            await readable(self.pidfd)
        await readable(self.bwrap_pidfd)
        if self.popen.returncode is None:
            _, status, usage = os.wait4(self.popen.pid, 0)
            self.popen.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_seconds = usage.ru_utime + usage.ru_stime

    async def end(self) -> None:
        """Kill; the tree is dead and reaped after this, except for a process the kernel itself cannot end."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_SECONDS):
                await self.wait_dead()

    def exit_code(self) -> int | None:
        """What bubblewrap reported, after death; None when the program was never started."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.status, 4096):
                self._status_bytes += chunk
        return self._field("exit-code")

    def _field(self, name: str) -> int | None:
        for line in bytes(self._status_bytes).splitlines():
            with contextlib.suppress(ValueError):
                document = json.loads(line)
                if isinstance(document, dict) and isinstance(document.get(name), int):
                    return int(document[name])
        return None

    def close_fd(self, name: str) -> None:
        """Close one of the descriptors by its name, once."""
        fd: int = getattr(self, name)
        setattr(self, name, -1)
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Close everything that is still open."""
        for name in ("bwrap_pidfd", "status", "block", "stdin", "stdout", "stderr", "pidfd"):
            self.close_fd(name)


@dataclass(frozen=True, slots=True)
class Start:
    """What to spawn: words, inherited descriptors, environment and folder of the process."""

    words: Sequence[str]
    fds: Sequence[int]
    env: Mapping[str, str]
    cwd: str = "/"


async def spawn(
    start: Callable[[int, int, int], Start], group: ControlGroup, *, end_signal: int = signal.SIGKILL
) -> SandboxProcess:
    """Start a process whose program waits for ``release``, in ``group`` where the machine lets a thread enter it.

    ``start`` is told the status descriptor, and both ends of the block pipe, as the process will have them.
    """
    pipes: list[tuple[int, int]] = []
    try:
        for _ in range(5):
            pipes.append(os.pipe2(os.O_CLOEXEC))  # noqa: PERF401  # what was opened is closed when one fails
        (in_r, in_w), (out_r, out_w), (err_r, err_w), (status_r, status_w), (block_r, block_w) = pipes
        asked = start(status_w, block_r, block_w)
        popen = await asyncio.get_running_loop().run_in_executor(
            _spawner, _started, asked, (in_r, out_w, err_w), group
        )
    except BaseException:
        for ends in pipes:
            os.close(ends[0])
            os.close(ends[1])
        raise
    for fd in (in_r, out_w, err_w, status_w, block_r):
        os.close(fd)
    for fd in (in_w, out_r, err_r, status_r, block_w):
        os.set_blocking(fd, False)
    return SandboxProcess(
        popen, os.pidfd_open(popen.pid), status_r, block_w, in_w, out_r, err_r, end_signal=end_signal
    )


def _started(asked: Start, streams: tuple[int, int, int], group: ControlGroup) -> subprocess.Popen[bytes]:
    sweep_leftovers_once()
    stdin, stdout, stderr = streams
    with group.entered():
        return subprocess.Popen(
            asked.words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=asked.fds,
            env=asked.env,
            cwd=asked.cwd,
        )


async def spawn_bwrap(
    bwrap: str, options: Options, payload: Sequence[str], group: ControlGroup, *, pass_fds: Sequence[int] = ()
) -> SandboxProcess:
    """Start bubblewrap with these options; takes over their descriptors."""

    def start(status: int, block: int, sync: int) -> Start:
        # bubblewrap takes the end of file on the block pipe for "go": it holds the write end itself (--sync-fd),
        # so that a runner that dies now leaves an inert process and not a program without bounds
        options.add("--json-status-fd", str(status), "--block-fd", str(block), "--sync-fd", str(sync))
        args = options.args_file()
        fds = (*options.fds, status, block, sync, *pass_fds)
        return Start([bwrap, "--args", str(args), "--", *payload], fds, {**SPAWN_PATH, MARK: runner_mark()})

    try:
        return await spawn(start, group)
    finally:
        options.close()
