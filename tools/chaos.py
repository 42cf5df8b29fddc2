"""Kill what executes runs, again and again, and say what survived: ``tools/chaos.py --kills 1000 --runs 200 --seed 7``.

A quarter of the kills hits the runner of local runs, sandbox on; the others hit workers, Redis and PostgreSQL of a
cluster. Prints the report as JSON; status 0 when every run ended as it does in peace, nothing was lost, nothing
completed was executed twice, and the kills were aimed well enough to prove it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.chaos_report import ClusterReport
from support.cluster_chaos import ClusterChaos
from support.kill_harness import Chaos, ChaosReport


def main() -> int:
    """Run both campaigns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200, help="how many runs of the cluster")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--report", type=Path, help="write the report there too")
    options = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()[0]
    with ThreadPoolExecutor(1) as beside:  # both wait most of the time
        running = beside.submit(_local, options.seed, options.kills // 4)
        cluster = _cluster(options.seed, options.kills - options.kills // 4, options.runs)
        local = running.result()
    text = json.dumps(
        {
            "command": f"tools/chaos.py --kills {options.kills} --runs {options.runs} --seed {options.seed}",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2)},
            "seconds": round(time.monotonic() - began),
            "kills": local.kills + cluster.total,
            "kills_with_node_in_flight": local.kills_with_node_in_flight + cluster.kills_with_node_in_flight,
            "runs": local.runs + cluster.runs,
            "ok": local.ok and cluster.ok,
            "local": json.loads(local.to_json()),
            "cluster": json.loads(cluster.to_json()),
        },
        indent=1,
    )
    print(text)
    if options.report:
        options.report.write_text(text + "\n")
    return 0 if local.ok and cluster.ok else 1


def _local(seed: int, kills: int) -> ChaosReport:
    with tempfile.TemporaryDirectory(prefix="polyphony-chaos-") as folder:
        return Chaos(Path(folder), seed, "sandbox").campaign(kills)


def _cluster(seed: int, kills: int, runs: int) -> ClusterReport:
    with tempfile.TemporaryDirectory(prefix="polyphony-chaos-") as folder:
        chaos = ClusterChaos(Path(folder), seed)
        try:
            return chaos.campaign(runs, kills)
        finally:
            chaos.close()


if __name__ == "__main__":
    sys.exit(main())
