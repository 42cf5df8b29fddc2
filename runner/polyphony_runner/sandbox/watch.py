"""Bounds that the kernel does not keep for us, kept by looking every quarter of a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.judge import Verdict
from polyphony_runner.sandbox.spec import Limits

INTERVAL = 0.25
LOOK_SHARE = 10  # looking takes at most a tenth of the time


@dataclass(frozen=True, slots=True)
class Disk:
    """How much the writable folders of one execution may grow: ``before`` is what they held at its start."""

    places: tuple[Path, ...]
    size: int
    entries: int
    before: tree.Usage

    @classmethod
    def at(cls, places: Iterable[Path], bounds: Limits) -> Disk | None:
        """The bound over these folders as they are now, or None where there is none."""
        if bounds.disk is None:
            return None
        kept = tuple(places)
        before = [tree.measure(place) for place in kept]
        total = tree.Usage(sum(usage.size for usage in before), sum(usage.entries for usage in before))
        return cls(kept, bounds.disk, bounds.entries, total)

    def verdict(self) -> Verdict | None:
        """What is wrong now, if anything. Stops looking as soon as a bound is passed."""
        size, entries = self.before.size + self.size, self.before.entries + self.entries
        for place in self.places:
            usage = tree.measure(place, stop_size=size, stop_entries=entries)
            size, entries = size - usage.size, entries - usage.entries
            if size < 0:
                return Verdict("disk", f"the program wrote more than {self.size} bytes into its folders")
            if entries < 0:
                return Verdict("disk", f"the program made more than {self.entries} files and folders")
        return None


async def watch_disk(disk: Disk, pause: float = INTERVAL) -> Verdict:
    """Return when a bound is passed; the first look is after ``pause`` seconds."""
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        if verdict := await asyncio.to_thread(disk.verdict):
            return verdict
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
