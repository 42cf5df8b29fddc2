"""DBOS on SQLite: one workflow, one durable step for each task."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from dbos import DBOS
from work import fib, timed

FOLDER = tempfile.mkdtemp()
DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{Path(FOLDER) / 'dbos.sqlite'}",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
def step(n: int) -> int:
    """One durable step."""
    return fib(n)


@DBOS.workflow()
def chain(tasks: int, n: int) -> None:
    """The steps, one after the other."""
    for _ in range(tasks):
        step(n)


if __name__ == "__main__":
    DBOS.launch()
    timed(chain, int(sys.argv[1]), int(sys.argv[2]))
    DBOS.destroy()
