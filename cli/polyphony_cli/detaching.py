"""``run --detach``: hand a run that is durably begun to a process of its own, which no terminal can end."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_cli.console import Console
from polyphony_cli.run_verbs import home_of
from polyphony_runner.journal.file import is_held
from polyphony_runner.runs.errors import RunError

if TYPE_CHECKING:
    from polyphony_runner.runs.folder import RunFolder

_PAUSE = 0.02


def hand_over(console: Console, folder: RunFolder, metrics: Path | None = None) -> int:
    """Let a background process resume the run; returns once that one holds it, with the run's id on stdout.

    The run exists and survives whatever happens here: PLY2850 says that nobody executes it yet.
    """
    child = _spawn(console, folder, metrics)
    while not is_held(folder.journal):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended and status:
            raise RunError(
                "PLY2850",
                f"the background process of the run {folder.run!r} ended with status {os.waitstatus_to_exitcode(status)}",
                hint=f"{folder.detached_log} says why; polyphony resume {folder.run} goes on here",
            )
        if ended:
            break  # so short a run is over already
        time.sleep(_PAUSE)
    if console.as_json:
        console.document({"run": folder.run, "status": "running"})
    else:
        console.line(folder.run)
        console.hint(f"polyphony logs {folder.run} -f follows it, polyphony cancel {folder.run} ends it")
    return 0


def _spawn(console: Console, folder: RunFolder, metrics: Path | None) -> int:
    """The process: a session of its own, none of our descriptors, the root as its folder, its words in the run's folder."""
    flags = [
        *(["--offline"] if console.offline else []),
        *["-v"] * console.verbose,
        *(["--log-format", "json"] if console.log_json else []),
    ]
    call = ["-m", "polyphony_cli.main", "--home", str(home_of(console).root), "--no-color", *flags]
    file = [] if metrics is None else ["--metrics", str(metrics.absolute())]
    words = [sys.executable, "-P", *call, "resume", folder.run, *file]
    log = os.open(folder.detached_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            words,
            {**os.environ, "PYTHONUNBUFFERED": "1"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                *((os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def _inheritable() -> list[int]:
    """Descriptors that our caller gave us and a program would get from us: a pipe of the shell stays open as long."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # numbers, no paths
        with suppress(OSError):  # the descriptor of this very listing
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found
