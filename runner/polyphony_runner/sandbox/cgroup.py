"""A control group of its own for each sandbox, where the machine lets us make one.

Groups are made below the runner's own (never beside it, so no bound of the machine is left), named after the
runner's process, removed when the tree is dead; leftovers of killed runners are swept. Two layouts: version 2 with
delegated controllers, and version 1 (also hybrid), which needs root. Without either, memory is sampled
(``watch``). Moving another process waits until every processor has passed a quiet moment, 10 ms and more; under
version 1 the thread that starts a sandbox therefore enters the group itself, which waits for nobody, and what it
starts is born there. Processes are counted by RLIMIT_NPROC at any rate, since each sandbox has a user id of its own; a second
hierarchy under version 1 would cost 3 ms a start and say nothing more.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
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
KILL_ROUNDS = 100
SWAP_FILE = "memory.swap.max"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of the runner's own group that new ones are made in, if it may."""

    version: int
    folder: Path | None


@dataclass(slots=True)
class ControlGroup:
    """The group of one sandbox; without a folder nothing is bounded here.

    ``bounds_memory`` once the sandbox is in it, if it has a bound.
    """

    version: int = 0
    folder: Path | None = None
    bounds_memory: bool = False

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What the calling thread starts meanwhile begins inside (version 1; elsewhere nothing happens)."""
        folder = self.folder if self.version == 1 else None
        if folder is not None:
            try:
                _enter(folder)
            except OSError:  # ``take`` tries the other way
                folder = None
        try:
            yield
        finally:
            if folder is not None:
                _enter(folder.parent)
                self.bounds_memory = True

    def take(self, pid: int, limits: Limits) -> None:
        """See to it that the first process of a sandbox is in the group, or give the group up."""
        if self.folder is None or self.bounds_memory:
            return
        try:
            (self.folder / "cgroup.procs").write_text(str(pid))
        except OSError:
            _remove(self.folder)
            self.folder = None
        self.bounds_memory = self.folder is not None and limits.memory is not None

    def end(self) -> None:
        """Kill whatever is in the group: for trees that no namespace holds together."""
        if self.folder is None:
            return
        with contextlib.suppress(OSError):
            if (self.folder / "cgroup.kill").exists():
                (self.folder / "cgroup.kill").write_text("1")
                return
        for _ in range(KILL_ROUNDS):  # what forks meanwhile is there at the next look
            if not _end_leftovers(self.folder):
                return

    def peak_memory(self) -> int:
        """The most bytes the tree had at one time; 0 when nobody counted."""
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        with contextlib.suppress(OSError, ValueError):
            if self.folder is not None:
                return int((self.folder / name).read_text())
        return 0

    def oom_kills(self) -> int:
        """How often the kernel killed for memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return self._counter(name, "oom_kill")

    def forks_refused(self) -> int:
        """How often a process or thread was refused (version 2)."""
        return self._counter("pids.events", "max")

    def _counter(self, name: str, key: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            if self.folder is not None:
                pairs = (line.partition(" ") for line in (self.folder / name).read_text().splitlines())
                return next((int(value) for word, _, value in pairs if word == key), 0)
        return 0


def find_layout(own: str, root: Path = ROOT) -> Layout:
    """Read ``/proc/self/cgroup``: where our own group is, and whether we may make children in it."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    unified = root / paths.get("", "/").lstrip("/")
    with contextlib.suppress(OSError):
        enabled = set((unified / "cgroup.subtree_control").read_text().split())
        if {"memory", "pids"} <= enabled and os.access(unified, os.W_OK):
            return Layout(2, unified)
    if "memory" in paths:
        folder = root / "memory" / paths["memory"].lstrip("/")
        if os.access(folder / "cgroup.procs", os.W_OK):
            return Layout(1, folder)
    return Layout(0, None)


@cache
def own_layout() -> Layout:
    """The layout of this process; sweeps what killed runners left, once."""
    try:
        layout = find_layout(Path("/proc/self/cgroup").read_text())
    except (OSError, ValueError):
        return Layout(0, None)
    if layout.folder is not None:
        sweep(layout.folder)
    return layout


def sweep(folder: Path) -> None:
    """Remove the groups of runners that are dead, and end what they left inert in them."""
    with contextlib.suppress(OSError):
        for child in folder.glob(f"{PREFIX}-*"):
            runner = child.name.split("-")[1]
            if not Path("/proc", runner).exists():
                _end_leftovers(child)
                _remove(child)


def _end_leftovers(group: Path) -> bool:
    """Kill what is in a group of ours, such as the inert process of a runner that died between spawn and release.

    Says whether there was anything.
    """
    pids: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        pids = (group / "cgroup.procs").read_text().split()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    return bool(pids)


@contextlib.contextmanager
def control_group(limits: Limits, layout: Layout | None = None) -> Iterator[ControlGroup]:
    """A new empty group with these bounds, for as long as the context lasts; by its end what was in it must be dead."""
    layout = layout or own_layout()
    folder = None
    if layout.folder is not None and (limits.memory is not None or layout.version == 2):
        name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        folder = _made(layout.folder / name, _files(layout.version, limits))
    group = ControlGroup(layout.version, folder)
    try:
        yield group
    finally:
        if group.folder is not None:
            _remove(group.folder)


def _enter(folder: Path) -> None:
    """Move the calling thread; "0" is the one name that needs no lock over all processes of the machine."""
    (folder / "tasks").write_text("0")


def _files(version: int, limits: Limits) -> dict[str, str]:
    if version == 1:
        return {"memory.limit_in_bytes": str(limits.memory)}
    files = {"pids.max": str(limits.processes + OWN_PROCESSES)}
    if limits.memory is not None:
        files |= {"memory.max": str(limits.memory), SWAP_FILE: "0", "memory.oom.group": "1"}
    return files


def _made(group: Path, files: dict[str, str]) -> Path | None:
    """The group, or None where the machine says no."""
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        for file, value in files.items():
            if file != SWAP_FILE or (group / file).exists():  # a kernel without swap accounting has none
                (group / file).write_text(value)
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
