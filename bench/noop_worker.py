"""A worker of the cluster whose nodes do nothing (``NoopRuntime``, a fake at the Runtime seam): dispatch alone.

usage: noop_worker.py HOME SLOTS   (the cluster is named by the environment)
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from polyphony_runner.cluster.settings import cluster_settings
from polyphony_runner.cluster.worker import Worker
from polyphony_runner.conductor.function_runtime import NoopRuntime
from polyphony_runner.home import Home


async def work(folder: Path, slots: int) -> None:
    """Work until SIGTERM."""
    home = Home.at(folder)
    worker = Worker(
        cluster_settings(home, os.environ), home, lambda _trees, _artifacts: NoopRuntime(), slots=slots
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)
    print("ready", flush=True)
    await worker.work()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
