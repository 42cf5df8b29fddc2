"""The host as the attack programs find it: canaries, services and a process that none of them may reach."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CANARY = "canary-of-the-host-7c1f"
VICTIM = "import time; time.sleep(600)  # polyphony-victim"


@dataclass
class World:
    """What all programs of one level share."""

    folder: Path
    victim: subprocess.Popen[bytes]
    tcp: int
    other_tcp: int
    udp: int
    abstract: str
    heard: set[str] = field(default_factory=set)

    def seen_from(self, name: str, place: Path) -> bytes:
        """The file that tells a program where everything is: knowing it must not help."""
        return json.dumps(
            {
                "name": name,
                "canary": CANARY,
                "home": [str(place / "host/home/.ssh/id_ed25519"), str(place / "host/home/.aws/credentials")],
                "runner": [str(place / "host/store/object"), str(place / "host/keys/signing.key")],
                "other run": str(place / "host/run/result"),
                "victim": self.victim.pid,
                "tcp": self.tcp,
                "other tcp": self.other_tcp,
                "udp": self.udp,
                "abstract": self.abstract,
            }
        ).encode()


CANARIES = (
    "home/.ssh/id_ed25519",
    "home/.aws/credentials",
    "store/object",
    "keys/signing.key",
    "run/result",
)


def plant(place: Path) -> None:
    """The canaries of one program, and the folder it may read, with a socket file in it."""
    for name in CANARIES:
        file = place / "host" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(CANARY)
    shown = place / "shown"
    shown.mkdir()
    (shown / "note").write_text("to read")
    (shown / "leading-out").symlink_to(place / "host/home/.ssh/id_ed25519")


def state_of(folder: Path) -> dict[str, tuple[int, ...] | str]:
    """Names, contents, modes, owners and times of a tree that nobody may change."""
    found: dict[str, tuple[int, ...] | str] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (
            status.st_mode,
            status.st_uid,
            status.st_nlink,
            status.st_mtime_ns,
            status.st_size,
        )
        if path.is_file():
            found[f"{path} holds"] = str(path.read_bytes())
    return found


@contextlib.contextmanager
def listening(kind: socket.SocketKind, address: str, heard: set[str]) -> Iterator[None]:
    """A socket file that keeps what it is told."""
    with socket.socket(socket.AF_UNIX, kind) as made:
        made.bind(address)
        if not address.startswith("\0"):
            Path(address).chmod(0o777)
        with _served(made, heard, b""):
            yield


@contextlib.contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Start the services and the process."""
    heard: set[str] = set()
    abstract = f"polyphony-attack-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        tcp, other = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for made, answer in ((tcp, b"granted"), (other, b"of the other"), (udp, b"")):
            stack.enter_context(_served(made, heard, answer))
        stack.enter_context(listening(socket.SOCK_STREAM, "\0" + abstract, heard))
        victim = stack.enter_context(
            subprocess.Popen([sys.executable, "-I", "-S", "-c", VICTIM, CANARY], env={"KEY": CANARY})
        )
        stack.callback(victim.kill)
        yield World(
            folder,
            victim,
            tcp.getsockname()[1],
            other.getsockname()[1],
            udp.getsockname()[1],
            abstract,
            heard,
        )


@contextlib.contextmanager
def _served(made: socket.socket, heard: set[str], answer: bytes) -> Iterator[None]:
    made.settimeout(0.05)
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                if made.type == socket.SOCK_DGRAM:
                    heard.add(made.recv(4096).decode(errors="replace"))
                    continue
                peer, _ = made.accept()
                with peer:
                    peer.settimeout(5)
                    heard.add(peer.recv(4096).decode(errors="replace"))
                    if answer:
                        body = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(answer)
                        peer.sendall(b"HTTP/1.1 200 OK\r\n" + body + answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
