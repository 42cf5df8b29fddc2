"""What a sandbox is asked for and what it answers: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Level = Literal["full", "full-privileged", "landlock", "wasm", "none"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path shown inside.

    ``ro`` read-only bind · ``rw`` the one kind of writable bind (a private work folder, or a direct grant) ·
    ``copy`` a private writable copy that is thrown away. ``fd`` mounts an already opened and checked descriptor;
    without one ``source`` is opened once, and no part of it may be a link: somebody else may be writing above it.
    ``shared`` says that every user of the machine may read the tree (interpreter, environment, package store) and
    only the person changes it: it may be named through links, and nobody looks whether the sandbox's own user can
    read each entry.
    """

    source: Path
    inside: str
    mode: Literal["ro", "rw", "copy"] = "ro"
    fd: int | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One granted ``host:port``; ``plain`` for http://, ``private`` switches the private-range filter off.

    ``index`` marks a host that the machine's own package configuration names: the same exemption, another reason.
    """

    host: str
    port: int
    plain: bool = False
    private: bool = False
    index: bool = False


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
    line: int = 1 << 20
    entries: int = 100_000
    network: int | None = 16 << 30  # both ways, over all connections


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One execution. ``argv`` words are taken as they are: no shell.

    ``secrets`` are files under /tmp/.secrets inside. ``chdir`` defaults to /ws, the writable work folder whose
    host side is ``work``. ``files`` are small read-only files made from bytes (path inside -> content).
    ``cancel_message`` keeps standard input open: it is written when the wall time is over or the task is
    cancelled, and the program has ``grace`` seconds to end by itself before its tree is killed.
    ``wasm`` says that ``argv`` is our engine for WebAssembly, which isolates by itself.
    ``host_proxy`` is the machine's own upstream proxy (``http://host:port``), used outside by ours.
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
    cancel_message: bytes = b""
    grace: float = 2.0
    host_proxy: str | None = None
    wasm: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """One attempt to reach the network, for the journal; never its content.

    ``via`` is ``upstream`` when the machine's own proxy resolved the name, so that no address was checked here.
    """

    host: str
    port: int
    address: str
    verdict: Literal["allowed", "refused"]
    reason: str
    sent: int
    received: int
    milliseconds: int
    via: Literal["direct", "upstream"] = "direct"


@dataclass(frozen=True, slots=True)
class Exit:
    """How an execution ended.

    ``kind`` is None when the program ended by itself with status 0, else one of the error kinds of
    docs/melody.md (``timeout memory cpu processes output disk crash exit unavailable cancelled``).
    stdout went line by line to ``on_line``, or, without that, is ``stdout`` (capped). ``stderr`` holds its first
    and last 64 KiB. ``notes`` say what a reader of the journal should know (sampled limits, private copies).
    """

    kind: str | None
    status: int | None
    message: str
    stderr: str
    seconds: float
    connections: tuple[Connection, ...] = ()
    max_rss: int = 0
    stdout: bytes = b""
    cpu_seconds: float = 0.0
    notes: tuple[str, ...] = ()


OnLine = Callable[[bytes], Awaitable[None] | None]
OnConnection = Callable[[Connection], None]
OnBytes = Callable[[bytes], None]
