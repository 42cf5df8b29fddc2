"""Runs attack programs as plain programs in the sandbox, and looks from outside at what came of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.grants.safe_files import clean_name, open_folder, open_regular, opened, walk
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox import Endpoint, Exit, Limits, Mount, SandboxSpec, run_sandboxed
from polyphony_runner.sandbox.errors import SandboxUnavailableError
from polyphony_runner.sandbox.spec import Level
from polyphony_runner.sandbox.tree import remove_tree
from support.attack_programs import LIBRARY, PROGRAMS, Attack
from support.attack_world import CANARY, World, listening, plant, state_of

PYTHON = "/usr/bin/python3"
BROKE_OUT = "BROKE OUT"


@dataclass(frozen=True)
class Verdict:
    """``came``: stopped, refused (before it started), open, or a dash where the program is for another way."""

    came: str
    by: str


def open_row(what: str) -> Verdict:
    return Verdict("open", what)


async def run_in_box(attack: Attack, level: Level, world: World, place: Path) -> Verdict:
    """One program from its start to the removal of what it left."""
    work = place / "ws"
    work.mkdir(parents=True, mode=0o700)
    plant(place)
    before = state_of(place / "host") | state_of(place / "shown")
    shown = str(place / "shown")
    with (
        listening(socket.SOCK_STREAM, f"{shown}/stream", world.heard),
        listening(socket.SOCK_DGRAM, f"{shown}/datagram", world.heard),
    ):
        try:
            ended = await run_sandboxed(_spec(attack, world, place), level=level)
        except SandboxUnavailableError as refused:
            return Verdict("refused", refused.code)
    Path(shown, "stream").unlink()
    Path(shown, "datagram").unlink()
    return _judged(attack, ended, world, place, before)


def _spec(attack: Attack, world: World, place: Path) -> SandboxSpec:
    file = f"/attack/{attack.path.name}"
    files = {
        "/attack/world.json": world.seen_from(attack.name, place),
        f"/attack/{LIBRARY}": (PROGRAMS / LIBRARY).read_bytes(),
        file: attack.source.encode(),
    }
    words: tuple[str, ...] = (PYTHON, "-S", "-B", "-E", file)
    if attack.path.suffix == ".sh":
        words = ("sh", file, str(place / "host/home/.ssh/id_ed25519"))
    if attack.path.suffix == ".c":
        words = ("/src/program",)
        subprocess.run(["cc", "-O1", "-o", place / "shown/program", attack.path], check=True)
    return SandboxSpec(
        words,
        place / "ws",
        files=files,
        mounts=(Mount(place / "shown", "/src"),),
        endpoints=_endpoints(attack, world),
        limits=limits_of(attack),
    )


def limits_of(attack: Attack) -> Limits:
    """The bounds a program asks for; what it does not name is ample."""
    return Limits(
        wall=attack.number("wall", 60),
        cpu=attack.number("cpu", 0) or None,
        memory=int(attack.number("memory", 256 << 20)),
        processes=int(attack.number("processes", 64)),
        file_size=int(attack.number("file", 64 << 20)),
        disk=int(attack.number("disk", 128 << 20)),
        tmp=int(attack.number("tmp", 32 << 20)),
        stdout=int(attack.number("output", 16 << 20)),
        line=int(attack.number("line", 1 << 20)),
        entries=int(attack.number("entries", 100_000)),
    )


def _endpoints(attack: Attack, world: World) -> tuple[Endpoint, ...]:
    if attack.grants != "network":
        return ()
    found = []
    for text in attack.heads.get("endpoints", "granted.example:443").format(port=world.tcp).split():
        address, *marks = text.split("/")
        host, port = address.rsplit(":", 1)
        found.append(Endpoint(host, int(port), plain="plain" in marks, private="private" in marks))
    return tuple(found)


def _judged(
    attack: Attack, ended: Exit, world: World, place: Path, before: dict[str, tuple[int, ...] | str]
) -> Verdict:
    said = ended.stdout.decode(errors="replace") + ended.stderr
    with contextlib.suppress(AttributeError):
        return open_row(re.search(f"{BROKE_OUT}[^\n]*", said).group(0))  # type: ignore[union-attr]  # None is "no"
    if (ended.kind or "none") not in attack.ends:
        return open_row(f"ended as {ended.kind}: {ended.message} {ended.stderr[-300:]}")
    if attack.name in " ".join(world.heard) and "reaches" not in attack.heads:
        return open_row("somebody outside heard it")
    if world.victim.poll() is not None:
        return open_row("a process of the host is dead")
    if state_of(place / "host") | _without_program(state_of(place / "shown")) != before:
        return open_row("something of the host has changed")
    if left := processes_of(place):
        return open_row(f"processes {left} outlived it")
    if "leaves" in attack.heads:
        if wrong := _harvested(attack, place / "ws"):
            return open_row(wrong)
        remove_tree(place / "ws")
    reasons = sorted(set(re.findall(r"^stopped [^\n]*: ([A-Za-z]\w*)$", said, re.MULTILINE)))
    if not reasons and ended.kind is None and "leaves" not in attack.heads and "stopped" not in said:
        return open_row(f"it tried nothing: {said[-300:]}")
    if ended.kind not in (None, "exit") or not reasons:
        reasons = [f"error {ended.kind}"] if ended.kind else ["every try, seen from outside"]
    return Verdict("stopped", ", ".join(reasons))


def _without_program(found: dict[str, tuple[int, ...] | str]) -> dict[str, tuple[int, ...] | str]:
    return {name: value for name, value in found.items() if "/shown/program" not in name}


def _harvested(attack: Attack, work: Path) -> str:
    """Take every result as the runner does; what is wrong with that, or nothing."""
    with opened(open_folder(work)) as root:
        for name in _results(root):
            if not all(map(clean_name, name.split("/"))):
                continue
            try:
                descriptor = open_regular(root, name)
            except NodeError:
                continue
            with opened(descriptor):
                first = _content(descriptor)
                if CANARY.encode() in first:
                    return f"{name!r} shows a file of the host"
                if (
                    os.fstat(descriptor).st_mode & (stat.S_ISUID | stat.S_ISGID)
                    and work.stat().st_mode & 0o077
                ):
                    return f"{name!r} runs as somebody else"
                if hashlib.sha256(first).digest() != hashlib.sha256(_content(descriptor)).digest():
                    return f"{name!r} changes while it is read"
    return ""


def _results(root: int) -> Iterator[str]:
    with contextlib.suppress(NodeError, OSError):  # too deep, too many or closed: refused as a whole
        yield from [entry.path for entry in walk(root) if entry.path]


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 16, 0)


def processes_of(place: Path) -> list[int]:
    """Processes whose folder, command line or root is of this program's place."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            told = (entry / "cmdline").read_bytes().decode(errors="replace")
            if str(place) in told + str((entry / "cwd").readlink()):
                found.append(int(entry.name))
    return found
