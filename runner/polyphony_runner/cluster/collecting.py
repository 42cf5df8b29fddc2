"""``artifacts gc --cluster``: remove from the shared store what no run of the cluster refers to.

Roots are what the journals in the database name (files, folders, values, logs) and the archives of the runs' packages.
The cluster's runs themselves are not removed. The store is listed before the journals are read, and what was put within
the grace time stays: what a worker puts stands in a journal moments later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from polyphony_runner.artifacts.manifest import is_digest
from polyphony_runner.cluster.client import Cluster
from polyphony_runner.cluster.journal import read_lines
from polyphony_runner.runs.collecting import GRACE_MS, Collected, Roots, check_grace, sweep
from polyphony_schemas.journal import Event, decode_line


def collect_shared(cluster: Cluster, *, grace_ms: int = GRACE_MS, dry_run: bool = False) -> Collected:
    """Clean up the artifacts of a cluster; PLY2806 for a grace time under ten minutes."""
    check_grace(grace_ms)
    before = time.time() - grace_ms / 1000
    found = Collected(dry_run)
    held = list(cluster.artifacts.held())
    roots = Roots(cluster.artifacts)
    for (run,) in cluster.database.rows("SELECT run FROM runs"):
        roots.add_events(_events(cluster, str(run), roots))
    for (packages,) in cluster.database.rows("SELECT packages FROM materials"):
        roots.digests |= {str(one["archive"]) for one in packages.values()}
    sweep(cluster.artifacts, held, roots.digests, found, before)
    return found


def _events(cluster: Cluster, run: str, roots: Roots) -> Iterator[Event]:
    """The events of a run; the logs they name stay too."""
    for _, line in read_lines(cluster.database, run):
        event, _ = decode_line(line)
        log = event.data.get("log")
        if isinstance(log, Mapping) and is_digest(str(log.get("digest"))):
            roots.digests.add(str(log["digest"]))
        yield event
