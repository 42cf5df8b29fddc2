"""Workers to be killed: the real one, with a function in place of sandboxed programs, forked from a process that has
imported everything, so that a new one costs milliseconds.

usage: python -m support.chaos_worker        (the cluster is named by the environment)

Each line ``FOLDER SLOTS`` on standard input becomes a worker; its pid is the answer. All end with this process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from pathlib import Path

from polyphony_runner.cluster.settings import cluster_settings
from polyphony_runner.cluster.worker import Worker
from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.values import JsonObject

_PR_SET_PDEATHSIG = 1


async def act(assignment: Assignment, sink: Sink) -> JsonObject | Outcome:
    """Takes ``ms`` milliseconds; its last act is one line in the file ``acts`` of the work folder.

    ``fail``: it fails instead. ``needs``: it fails as long as the work folder has no file ``NAME-RUN``.
    ``begun`` and ``failed`` are files of the same kind, with the worker's pid.
    """
    del sink
    given = assignment.inputs
    _note(assignment, "begun", pid=True)
    try:
        await asyncio.sleep(float(str(given["ms"])) / 1000)
    except asyncio.CancelledError:  # somebody else has this node by now
        _note(assignment, "failed", pid=True)
        raise
    needed = given.get("needs")
    if given.get("fail") or (needed and not (assignment.work / f"{needed}-{assignment.run}").exists()):
        _note(assignment, "failed", pid=True)
        return Failure("exit", "as asked")
    _note(assignment, "acts")
    return {"value": given.get("value", 1)}


def _note(assignment: Assignment, name: str, *, pid: bool = False) -> None:
    words = [assignment.run, assignment.node, assignment.attempt, *([os.getpid()] if pid else [])]
    descriptor = os.open(assignment.work / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    os.close(descriptor)


async def _work(folder: Path, slots: int) -> None:
    home = Home.at(folder)
    runtime = FunctionRuntime({"*": act})
    await Worker(cluster_settings(home, os.environ), home, lambda *_: runtime, slots=slots).work()


def main() -> None:
    """Fork a worker for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    while words := sys.stdin.readline().split():
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_work(Path(words[0]), int(words[1])))
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
