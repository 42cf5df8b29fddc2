"""Dispatch through a cluster: how many nodes that do nothing are journaled a second (start and end), by 10 workers.

Real PostgreSQL (durable commits) and Redis on this machine; nodes run by ``NoopRuntime``, a fake at the Runtime seam.

usage: dispatch.py [chain|fan] [RUNS] [NODES] [WORKERS] [SLOTS]   → one JSON object
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.cluster_servers import Postgres, Redis  # noqa: E402  # after the path
from support.cluster_world import World  # noqa: E402  # after the path
from support.conductor_graphs import compiled, work  # noqa: E402  # after the path

SERVER = ("shared_buffers=128MB", "max_connections=100")


def main(
    shape: str = "chain", runs: int = 100, nodes: int = 40, workers: int = 10, slots: int = 4
) -> dict[str, object]:
    """Begin the runs without a ring, ring for all at once, and wait for the last end."""
    connections = [f"n{i} -> n{i + 1}" for i in range(nodes - 1)] if shape == "chain" else []
    melody = compiled(
        {f"n{i}": work() for i in range(nodes)}, connections, config={"concurrency": {"run": 100}}
    )
    postgres, redis = Postgres(SERVER), Redis()
    folder = Path(tempfile.mkdtemp(prefix="polyphony-bench-"))
    world = World(folder, postgres.new_database(), redis.url, lease=30)
    ids = [world.submit(melody) for _ in range(runs)]
    world.cluster.bell.connection.flushall()
    world.cluster.database.rows("UPDATE runs SET status = 'halted'")  # nobody begins before the clock does
    started = [_worker(world, folder / f"w{i}", slots) for i in range(workers)]
    try:
        world.cluster.database.rows("UPDATE runs SET status = 'running'")
        before = time.perf_counter()
        world.cluster.bell.ring(ids)
        while _ended(world) < runs:
            time.sleep(0.02)
        seconds = time.perf_counter() - before
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(60)
        world.close()
        postgres.close()
        redis.stop()
    return {
        "shape": f"{runs} {shape}s of {nodes}",
        "workers": workers,
        "slots": slots,
        "seconds": round(seconds, 3),
        "nodes_per_second": round(runs * nodes / seconds),
        "load": round(os.getloadavg()[0], 2),
    }


def _worker(world: World, home: Path, slots: int) -> subprocess.Popen[bytes]:
    environment = {**world.environment, "POLYPHONY_CLUSTER_LEASE": "30s"}
    words = [sys.executable, str(ROOT / "bench" / "noop_worker.py"), str(home), str(slots)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _ended(world: World) -> int:
    return int(world.cluster.database.rows("SELECT count(*) FROM runs WHERE status = 'succeeded'")[0][0])


if __name__ == "__main__":
    shape, *numbers = sys.argv[1:] or ["chain"]
    print(json.dumps(main(shape, *map(int, numbers))))
