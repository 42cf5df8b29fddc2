"""A control group of its own for each sandbox, where the machine lets us make one.

Groups are made below the runner's own (never beside it, so no bound of the machine is left), named after the
runner's process, removed when the tree is dead; leftovers of killed runners are swept. Two layouts: version 2 with
delegated controllers, and version 1 (also hybrid), which needs root. Without either, memory is sampled
(``watch``) and processes are counted per user id by RLIMIT_NPROC.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polyphony_runner.sandbox.spec import Limits

ROOT = Path("/sys/fs/cgroup")
PREFIX = "polyphony"
OWN_PROCESSES = 2  # bubblewrap's pid 1, and setpriv's moment
REMOVE_TRIES = 50
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Layout:
    """The runner's own groups: ``memory`` and ``pids`` folders (one and the same under version 2)."""

    version: int
    memory: Path | None
    pids: Path | None


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The groups of one sandbox; without any, nothing is bounded here."""

    version: int = 0
    memory: Path | None = None
    pids: Path | None = None

    @property
    def bounds_memory(self) -> bool:
        """True when the kernel keeps the memory bound of the whole tree."""
        return self.memory is not None

    def oom_kills(self) -> int:
        """How often the kernel killed for memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return _counter(self.memory, name, "oom_kill")

    def forks_refused(self) -> int:
        """How often a process or thread was refused."""
        return _counter(self.pids, "pids.events", "max")


def _counter(group: Path | None, name: str, key: str) -> int:
    if group is None:
        return 0
    with contextlib.suppress(OSError, ValueError):
        for line in (group / name).read_text().splitlines():
            word, _, value = line.partition(" ")
            if word == key:
                return int(value)
    return 0


def find_layout(own: str, root: Path = ROOT) -> Layout:
    """Read ``/proc/self/cgroup``: where our own groups are, and which of them we may make children in."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    unified = root / paths.get("", "/").lstrip("/")
    enabled = unified / "cgroup.subtree_control"
    with contextlib.suppress(OSError):
        if {"memory", "pids"} <= set(enabled.read_text().split()) and os.access(unified, os.W_OK):
            return Layout(2, unified, unified)
    return Layout(1, _version_1(root, paths, "memory"), _version_1(root, paths, "pids"))


def _version_1(root: Path, paths: dict[str, str], controller: str) -> Path | None:
    if controller not in paths:
        return None
    folder = root / controller / paths[controller].lstrip("/")
    return folder if os.access(folder / "cgroup.procs", os.W_OK) else None


@cache
def own_layout() -> Layout:
    """The layout of this process; sweeps what killed runners left, once."""
    try:
        layout = find_layout(Path("/proc/self/cgroup").read_text())
    except (OSError, ValueError):
        return Layout(0, None, None)
    for folder in {layout.memory, layout.pids} - {None}:
        assert folder is not None
        _sweep(folder)
    return layout


def _sweep(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for child in folder.glob(f"{PREFIX}-*"):
            runner = child.name.split("-")[1]
            if not Path("/proc", runner).exists():
                with contextlib.suppress(OSError):
                    child.rmdir()


@contextlib.contextmanager
def control_group(pid: int, limits: Limits, layout: Layout | None = None) -> Iterator[ControlGroup]:
    """Put ``pid`` into new groups with these bounds, for as long as the context lasts."""
    layout = layout or own_layout()
    name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
    memory = _made(layout.memory, name, pid, _memory_files(layout.version, limits.memory))
    if layout.version == 2 and memory is not None:
        pids: Path | None = memory
        with contextlib.suppress(OSError):
            (memory / "pids.max").write_text(str(limits.processes + OWN_PROCESSES))
    else:
        pids = _made(layout.pids, name, pid, {"pids.max": str(limits.processes + OWN_PROCESSES)})
    try:
        yield ControlGroup(layout.version, memory if limits.memory is not None else None, pids)
    finally:
        for folder in (memory, pids):
            if folder is not None:
                _remove(folder)


def _memory_files(version: int, bound: int | None) -> dict[str, str]:
    if bound is None:
        return {}
    if version == 2:
        return {"memory.max": str(bound), "memory.swap.max": "0", "memory.oom.group": "1"}
    return {"memory.limit_in_bytes": str(bound)}


def _made(parent: Path | None, name: str, pid: int, files: dict[str, str]) -> Path | None:
    if parent is None:
        return None
    group = parent / name
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        for file, value in files.items():
            (group / file).write_text(value)
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        _remove(group)
        return None
    return group


def _remove(group: Path) -> None:
    """The kernel lets go of a dead tree's group a moment after its last process."""
    for _ in range(REMOVE_TRIES):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.001)
        else:
            return
