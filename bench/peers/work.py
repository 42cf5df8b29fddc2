"""The task that every subject runs, and the common frame of the peers' programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable


def fib(n: int) -> int:
    """Naive on purpose: a known amount of work."""
    return n if n <= 1 else fib(n - 1) + fib(n - 2)


def timed(flow: Callable[[int, int], None], tasks: int, n: int) -> None:
    """One warm-up flow of one task, then the flow; prints its milliseconds as JSON."""
    flow(1, 1)
    start = time.perf_counter()
    flow(tasks, n)
    print(json.dumps({"flow_ms": (time.perf_counter() - start) * 1000}), flush=True)
