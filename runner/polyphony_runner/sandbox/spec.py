"""What a sandbox is asked for and what it answers: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Level = Literal["full", "full-privileged", "none"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path shown inside.

    ``ro`` read-only bind · ``rw`` the one kind of writable bind (a private work folder, or a direct grant) ·
    ``copy`` a private writable copy that is thrown away. ``fd`` mounts an already opened and checked descriptor.
    """

    source: Path
    inside: str
    mode: Literal["ro", "rw", "copy"] = "ro"
    fd: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One granted ``host:port``; ``plain`` for http://, ``private`` switches the private-range filter off."""

    host: str
    port: int
    plain: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one execution: seconds and bytes. None means no bound of our own."""

    wall: float = 600.0
    cpu: float | None = None
    memory: int | None = 1 << 30
    processes: int = 64
    file_size: int | None = 256 << 20
    disk: int | None = 1 << 30
    tmp: int = 64 << 20
    stdout: int = 16 << 20
    open_files: int = 1024


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One execution. ``argv`` words are taken as they are: no shell.

    ``secrets`` are files under /tmp/.secrets inside. ``chdir`` defaults to /ws, the writable work folder whose
    host side is ``work``. ``files`` are small read-only files made from bytes (path inside -> content).
    """

    argv: tuple[str, ...]
    work: Path
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()
    stdin: bytes = b""
    chdir: str = "/ws"


@dataclass(frozen=True, slots=True)
class Connection:
    """One attempt to reach the network, for the journal; never its content."""

    host: str
    port: int
    address: str
    verdict: Literal["allowed", "refused"]
    reason: str
    sent: int
    received: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Exit:
    """How an execution ended.

    ``kind`` is None when the program ended by itself with status 0, else one of the error kinds of
    CONTRACT §4.5 (``timeout memory cpu processes output disk crash exit unavailable cancelled``).
    ``stdout_truncated``/``stderr`` are capped; stdout went line by line to ``on_line``.
    """

    kind: str | None
    status: int | None
    message: str
    stderr: str
    seconds: float
    connections: tuple[Connection, ...] = ()
    max_rss: int = 0


OnLine = Callable[[bytes], Awaitable[None] | None]
