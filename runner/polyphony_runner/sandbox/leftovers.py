"""End what dead runners left inert.

A runner that is killed between the spawn of a sandbox and its release leaves bubblewrap waiting for a byte that never
comes: no program runs in it, but the process stays. Every bubblewrap of ours therefore carries its runner's name
(pid namespace, pid, start time) in its own environment, not in the program's (which can read it there at level
``full``: it is no secret), and the next runner ends
those whose runner is gone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from pathlib import Path

MARK = "POLYPHONY_RUNNER"
_START_TIME = 21  # of /proc/PID/stat, counted from 0 and from the state behind the name: field 22 in proc(5)


def _start_time(pid: int) -> str | None:
    """When a process began, in ticks since boot; None when there is none with that pid."""
    try:
        behind_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return behind_name[_START_TIME - 2]


@functools.cache
def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def runner_mark() -> str:
    """This process's name: pid namespace, pid and start time, which no later process has."""
    return f"{_namespace()}:{os.getpid()}:{_start_time(os.getpid())}"


def _orphaned(mark: str) -> bool:
    parts = mark.split(":")
    if len(parts) != 3 or parts[0] != str(_namespace()) or not parts[1].isdigit():
        return False
    return _start_time(int(parts[1])) != parts[2]


def _mark_of(pid: int) -> str | None:
    """The mark that a bubblewrap process carries; None for everybody else's processes."""
    folder = Path(f"/proc/{pid}")
    try:
        if (folder / "comm").read_text() != "bwrap\n":
            return None
        words = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    start = f"{MARK}=".encode()
    return next(
        (word[len(start) :].decode("ascii", "replace") for word in words if word.startswith(start)), None
    )


def sweep_leftovers() -> int:
    """Kill every bubblewrap whose runner is dead; returns how many."""
    ended = 0
    for name in os.listdir("/proc"):  # noqa: PTH208  names alone, of hundreds
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(int(name))
            try:
                # looked at after the pidfd is held, so that it is this very process which is killed
                mark = _mark_of(int(name))
                if mark is not None and _orphaned(mark):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    ended += 1
            finally:
                os.close(pidfd)
    return ended


@functools.cache
def sweep_leftovers_once() -> int:
    """``sweep_leftovers`` at the first sandbox of this process, not at every one."""
    return sweep_leftovers()
