"""Level ``landlock``: no namespaces, but the kernel's own rules on files, signals and TCP, and a stricter call filter.

The program runs below its supervisor (``supervise.py``), which adopts and ends every descendant, and which, between
fork and exec, gives up what the program must not have: as root its user id (one of the pool's) and all capabilities
but one, then everything that the rule set and the filter deny. Under root the program keeps the one capability that
lets it pass folders and read files of others (it has another user id than who owns them): which ones is what
the rules say.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from polyphony_runner.sandbox import argv, landlock, seccomp
from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.host_places import ROOT_VARIABLE, TEMPORARY, HostPlaces
from polyphony_runner.sandbox.prepare import Prepared
from polyphony_runner.sandbox.process import SandboxProcess, Start, spawn
from polyphony_runner.sandbox.spec import Limits, Mount, SandboxSpec
from polyphony_runner.sandbox.unsandboxed import SUPERVISOR

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def temporary_folder(spec: SandboxSpec) -> Path:
    """Where the program finds ``/tmp``."""
    return Path(HostPlaces.of(spec).path(TEMPORARY))


def bounds(asked: Limits) -> Limits:
    """The limits to set: the kernel counts processes per user, so those that the user has already come on top."""
    if os.geteuid() == 0:  # a user id of the pool has none
        return asked
    return replace(asked, processes=asked.processes + _tasks_of(os.geteuid()))


def _tasks_of(uid: int) -> int:
    found = 0
    for name in os.listdir("/proc"):  # noqa: PTH208  names alone, of hundreds
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                found += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
    return found


async def spawn_confined(spec: SandboxSpec, ready: Prepared, group: ControlGroup) -> SandboxProcess:
    """Start the program below its supervisor, waiting for ``release``; its view of the host's files is made."""
    places = HostPlaces.of(spec)
    words = [places.path(word) for word in spec.argv]
    base = argv.base_environment(spec.limits, level="landlock", network=False)
    env = {name: places.paths(value) for name, value in (base | dict(spec.env)).items()}
    env |= {
        ROOT_VARIABLE: str(places.root),
        "GIT_CONFIG_NOSYSTEM": "1",
    }  # git stops at a file it may not read
    uid = ready.uid if os.geteuid() == 0 else -1
    with (
        _rules(spec.work, Path(places.path(TEMPORARY)), places.root, ready.mounts) as rules,
        _filter() as bpf,
    ):

        def start(status: int, block: int, _sync: int) -> Start:
            supervisor = [sys.executable, "-I", "-S", str(SUPERVISOR), str(status), str(block)]
            confine = [f"--confine={rules},{bpf},{uid}"]
            return Start(
                [*supervisor, *confine, *words], (status, block, rules, bpf), env, places.path(spec.chdir)
            )

        # SIGTERM: the supervisor ends everything below it before it ends itself
        return await spawn(start, group, end_signal=signal.SIGTERM)


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    fd = argv.memory_file("polyphony-bpf", seccomp.filter_for(network=False, on_host=True))
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _rules(work: Path, temporary: Path, view: Path, mounts: Sequence[Mount]) -> Iterator[int]:
    """The rule set: the system and the view to read, the work folder to write, and each mount as it says."""
    system = ("/usr", *(f"/{name}" for name in argv.MERGED), *argv.ETC_FROM_HOST, *argv.STORES)
    wanted = [(path, landlock.READ) for path in (*map(Path, system), view)]
    wanted += [(Path(path), landlock.DEVICE) for path in DEVICES]
    wanted += [(path, landlock.WRITE) for path in (work, temporary)]
    with contextlib.ExitStack() as stack:
        rules: list[tuple[int, int]] = []
        for path, rights in wanted:
            with contextlib.suppress(FileNotFoundError):
                rules.append((_held(stack, path), rights))
        for mount in mounts:
            fd = mount.fd if mount.fd is not None else _held(stack, mount.source)
            rules.append((fd, landlock.READ if mount.mode == "ro" else landlock.WRITE))
        made = landlock.rule_set(rules)
        stack.callback(os.close, made)
        yield made


def _held(stack: contextlib.ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd
