"""Floor: a loop in one process; with ``spawn``, one Python process for each task, what any isolation must pay."""

from __future__ import annotations

import subprocess
import sys

from work import fib, timed

CODE = "import sys\ndef fib(n): return n if n <= 1 else fib(n-1) + fib(n-2)\nfib(int(sys.argv[1]))"


def loop(tasks: int, n: int) -> None:
    """All in this process."""
    for _ in range(tasks):
        fib(n)


def spawn(tasks: int, n: int) -> None:
    """A process each."""
    for _ in range(tasks):
        subprocess.run([sys.executable, "-I", "-c", CODE, str(n)], check=True)


if __name__ == "__main__":
    timed(spawn if sys.argv[1] == "spawn" else loop, int(sys.argv[2]), int(sys.argv[3]))
