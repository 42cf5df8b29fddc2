"""A worker of the tests: the real one, with functions in place of sandboxed programs.

usage: python -m support.cluster_worker FOLDER SLOTS   (the cluster is named by the environment)
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path

from polyphony_runner.cluster.settings import cluster_settings
from polyphony_runner.cluster.worker import Worker
from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Sink
from polyphony_schemas.values import JsonObject


async def act(assignment: Assignment, sink: Sink) -> JsonObject | Outcome:
    """Takes ``ms`` milliseconds, then says that it was executed: one line in the file ``executed`` of the work folder.

    With ``hold`` it first waits until the work folder has a file of that name. With ``failures`` so many attempts fail.
    """
    given = {**assignment.inputs, **assignment.parameters}
    if "log" in given:
        sink(NodeEvent("log", {"level": "info", "message": str(given["log"])}))
    if "usage" in given:
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 2, "output_tokens": 3, "usd": "0.5"}))
    _note(assignment, "begun")
    await asyncio.sleep(float(str(given.get("ms", 0))) / 1000)
    if "hold" in given:
        await _appears(assignment.work / str(given["hold"]))
    if given.get("fail") or assignment.attempt <= int(str(given.get("failures", 0))):
        return Failure("exit", "as asked")
    _note(assignment, "executed")
    return {"value": given.get("value", 1)}


async def _appears(path: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"nobody made {path.name} within {seconds:g} s")
        await asyncio.sleep(0.005)


def _note(assignment: Assignment, name: str) -> None:
    line = f"{assignment.run} {assignment.node} {assignment.attempt} {os.getpid()}\n".encode()
    descriptor = os.open(assignment.work / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line)
    os.close(descriptor)


async def _main(folder: Path, slots: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    home = Home.at(folder)
    worker = Worker(
        cluster_settings(home, os.environ),
        home,
        lambda _trees, _artifacts: FunctionRuntime({"*": act}),
        slots=slots,
    )
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.drain)
    print("ready", flush=True)
    await worker.work()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
