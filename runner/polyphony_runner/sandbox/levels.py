"""The levels of isolation in their order, and what a program may need that the lower ones cannot give.

``full`` and ``full-privileged`` give everything. ``landlock`` has no network and no file system of its own: a node with
network, secrets or direct writes around protected files is refused. ``wasm`` runs WebAssembly and nothing else; its
engine shows a module what it may see, secrets included. ``none`` is
no level but a person's flag, and lacks nothing.

>>> lacks("landlock", Needs(network=True))
'it is granted network, which only namespaces can keep to the granted endpoints'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from polyphony_runner.sandbox.spec import Level, Mount, SandboxSpec

GIVES_EVERYTHING: frozenset[Level] = frozenset({"full", "full-privileged", "none"})
HINT = "polyphony doctor says what this machine lacks for level full, and the fix"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a program asks of its sandbox, as far as levels differ."""

    network: bool = False
    secrets: bool = False
    guarded_writes: bool = False
    wasm: bool = False


def needs_of(spec: SandboxSpec) -> Needs:
    """What a specification asks for."""
    return Needs(bool(spec.endpoints), bool(spec.secrets), guards_writes(spec.mounts), spec.wasm)


def guards_writes(mounts: Iterable[Mount]) -> bool:
    """Whether something read-only lies in something writable."""
    shown = [(PurePosixPath(mount.inside), mount.mode) for mount in mounts]
    writable = [place for place, mode in shown if mode != "ro"]
    return any(
        place.is_relative_to(outer) and place != outer
        for place, mode in shown
        if mode == "ro"
        for outer in writable
    )


def lacks(level: Level, needs: Needs) -> str:
    """Why a level cannot run such a program; empty when it can."""
    if level == "wasm" and not needs.wasm:
        return "it is no WebAssembly, and nothing here can isolate another program"
    if level in GIVES_EVERYTHING:
        return ""
    if needs.network:
        return "it is granted network, which only namespaces can keep to the granted endpoints"
    if needs.secrets and not needs.wasm:
        return "it is granted secrets, which only a file system of its own can keep from other programs"
    if needs.guarded_writes:
        return (
            "it writes directly to a folder with protected files, which only mounts can keep read-only there"
        )
    return ""
