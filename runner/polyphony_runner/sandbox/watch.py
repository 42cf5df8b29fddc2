"""Bounds that the kernel does not keep for us, kept by looking every quarter of a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.judge import Verdict
from polyphony_runner.sandbox.spec import Limits

INTERVAL = 0.25
LOOK_SHARE = 10  # looking takes at most a tenth of the time


UNREADABLE_LOOKS = 8
NEARLY_FULL = 1 << 30


@dataclass(slots=True)
class Disk:
    """How much the writable folders of one execution may grow: ``before`` is what they held at its start.

    ``pid`` is the first process of the tree, once there is one: files without a name count as long as one of its
    processes has them open. What even that misses must not fill the machine: ``free`` is what each file system
    had at the start.
    """

    places: tuple[Path, ...]
    size: int
    entries: int
    before: tree.Usage
    free: tuple[int, ...] = ()
    pid: int | None = None
    unreadable: int = 0

    @classmethod
    def at(cls, places: Iterable[Path], bounds: Limits, pid: int | None = None) -> Disk | None:
        """The bound over these folders as they are now, or None where there is none."""
        if bounds.disk is None:
            return None
        kept = tuple(places)
        before = [tree.measure(place) for place in kept]
        total = tree.Usage(sum(usage.size for usage in before), sum(usage.entries for usage in before))
        return cls(kept, bounds.disk, bounds.entries, total, tuple(_free(place) for place in kept), pid)

    def verdict(self) -> Verdict | None:
        """What is wrong now, if anything. Stops looking as soon as a bound is passed."""
        size, entries = self.before.size + self.size, self.before.entries + self.entries
        if self.pid is not None:
            size -= nameless(self.pid, {place.stat().st_dev for place in self.places if place.exists()})
        complete = True
        for place in self.places:
            usage = tree.measure(place, stop_size=max(size, 0), stop_entries=entries)
            size, entries = size - usage.size, entries - usage.entries
            complete = complete and usage.complete
            if size < 0:
                return Verdict("disk", f"the program wrote more than {self.size} bytes into its folders")
            if entries < 0:
                return Verdict("disk", f"the program made more than {self.entries} files and folders")
        self.unreadable = 0 if complete else self.unreadable + 1
        if self.unreadable >= UNREADABLE_LOOKS:
            return Verdict("disk", "the program keeps its folders from being measured")
        for place, free in zip(self.places, self.free, strict=True):
            now = _free(place)
            if now < NEARLY_FULL and free - now > self.size:
                return Verdict("disk", "the machine's disk is nearly full")
        return None


def _free(place: Path) -> int:
    try:
        status = os.statvfs(place)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


async def watch_disk(disk: Disk, pause: float = INTERVAL) -> Verdict:
    """Return when a bound is passed; the first look is after ``pause`` seconds."""
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        if verdict := await asyncio.to_thread(disk.verdict):
            return verdict
        pause = max(INTERVAL, LOOK_SHARE * (time.monotonic() - began))


def nameless(pid: int, devices: set[int]) -> int:
    """Bytes of files on these devices that have lost their last name and are open in a process or its descendants."""
    return _held(pid, lambda _, status: status.st_nlink == 0 and status.st_dev in devices)


def _held(pid: int, counts: Callable[[str, os.stat_result], bool]) -> int:
    """Bytes of the open files of a process and its descendants for which ``counts`` says so, each file once."""
    found: dict[tuple[int, int], int] = {}
    for process in descendants(pid):
        with suppress(OSError):
            for number in os.listdir(f"/proc/{process}/fd"):  # noqa: PTH208  # after every warm call: plain is fast
                link = f"/proc/{process}/fd/{number}"
                with suppress(OSError):
                    status = os.stat(link)  # noqa: PTH116
                    if counts(link, status):
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def _is_memory(link: str, status: os.stat_result) -> bool:
    return status.st_nlink == 0 and os.readlink(link).startswith("/memfd:")  # noqa: PTH115


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
    for process in descendants(pid):
        with suppress(OSError, ValueError):
            total += _memory_of_one(process)
    return total + _held(pid, _is_memory)  # memory files that no process maps are in nobody's share


def descendants(pid: int) -> Iterator[int]:
    """A process and all its descendants that live."""
    pending = [pid]
    while pending:
        current = pending.pop()
        yield current
        with suppress(OSError, ValueError):
            for task in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208
                with open(f"/proc/{current}/task/{task}/children", "rb") as stream:  # noqa: PTH123
                    pending += [int(child) for child in stream.read().split()]


def _memory_of_one(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * 4096
