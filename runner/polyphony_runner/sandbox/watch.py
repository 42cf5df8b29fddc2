"""Bounds that the kernel does not keep for us, kept by looking every quarter of a second."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.judge import Verdict

INTERVAL = 0.25
LOOK_SHARE = 10  # looking takes at most a tenth of the time


async def watch_disk(work: Path, size: int, entries: int) -> Verdict:
    """Return when the work folder has passed a bound."""
    pause = INTERVAL
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        if message := await asyncio.to_thread(tree.over_bound, work, size, entries):
            return Verdict("disk", message)
        pause = max(INTERVAL, LOOK_SHARE * (time.monotonic() - began))


async def watch_memory(pid: int, bound: int) -> Verdict:
    """Return when the sum over all processes of the sandbox has passed the bound."""
    while True:
        await asyncio.sleep(INTERVAL)
        used = await asyncio.to_thread(memory_of, pid)
        if used > bound:
            return Verdict(
                "memory", f"the program and its children used {used} bytes of memory, allowed are {bound}"
            )


async def watch_group(group: ControlGroup, bound: int) -> Verdict:
    """Return when the kernel killed for memory: version 1 ends one process and lets the rest of the tree go on."""
    while True:
        await asyncio.sleep(INTERVAL)
        if group.oom_kills():
            return Verdict("memory", f"the program and its children needed more than {bound} bytes of memory")


def memory_of(pid: int) -> int:
    """Bytes of a process and all its descendants, shared pages counted once (in parts) where the kernel tells."""
    total = 0
    pending = [pid]
    while pending:
        current = pending.pop()
        with suppress(OSError, ValueError):
            total += _memory_of_one(current)
            for task in Path(f"/proc/{current}/task").iterdir():
                pending += [int(child) for child in (task / "children").read_text().split()]
    return total


def _memory_of_one(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * 4096
