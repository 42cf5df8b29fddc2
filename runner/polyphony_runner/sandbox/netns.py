"""A listening socket inside a sandbox's empty network, held outside.

The sandbox has no network but its own loopback. The runner makes a listener *in that namespace, from outside*,
while the first process still waits at its block descriptor, and serves it with the filtering proxy. So no code of
ours has to run inside, any command can be networked, and it costs a millisecond.

As root a thread enters the namespace. Rootless the owning user namespace must be entered first, which the kernel
allows only to a process with one thread: a small helper process (``netns_helper.py``), started once, forks for each
request and hands the socket back by SCM_RIGHTS.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import ctypes
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from polyphony_runner.sandbox.argv import PROXY_PORT
from polyphony_runner.sandbox.errors import UNAVAILABLE, SandboxUnavailableError
from polyphony_runner.sandbox.spec import Level

CLONE_NEWNET = 0x40000000
IP_FREEBIND = (
    15  # the address exists as soon as bubblewrap has brought the interface up; we need not wait for it
)
BACKLOG = 128
HELPER = Path(__file__).with_name("netns_helper.py")
ANSWER_SECONDS = 10.0


def open_listener(port: int = PROXY_PORT) -> socket.socket:
    """Listen on 127.0.0.1 of the calling thread's network namespace."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


async def listener_in(pid: int, level: Level) -> socket.socket:
    """The listener in the network namespace of ``pid``; closing it lets the namespace go."""
    work = _as_root if level == "full-privileged" else _by_helper
    try:
        return await asyncio.to_thread(work, pid)
    except OSError as error:
        raise SandboxUnavailableError(
            UNAVAILABLE,
            f"the sandbox's network could not be entered to offer the granted endpoints: {error}",
            hint="polyphony doctor says what this machine lacks",
        ) from error


def _as_root(pid: int) -> socket.socket:
    """In a thread that is thrown away, so that no thread of the runner ever changes its network."""
    answer: list[socket.socket | OSError] = []

    def enter() -> None:
        try:
            fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(fd, CLONE_NEWNET):
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code))
            finally:
                os.close(fd)
            answer.append(open_listener())
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=enter, name="sandbox-netns")
    thread.start()
    thread.join()
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


class _Helper:
    """The helper process and our end of its socket; one request at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(HELPER), str(theirs.fileno()), str(PROXY_PORT)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={},
            )
        self.socket = ours
        self.socket.settimeout(ANSWER_SECONDS)

    def ask(self, pid: int) -> socket.socket:
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            rights = array.array("i", [fd])
            self.socket.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        finally:
            os.close(fd)
        message, fds, _, _ = socket.recv_fds(self.socket, 256, 1)
        if not fds:
            raise OSError(message.decode("utf-8", "replace") or "the network helper ended")
        return socket.socket(fileno=fds[0])

    def close(self) -> None:
        self.socket.close()
        self.process.wait()


_helper: _Helper | None = None
_helper_lock = threading.Lock()


def _by_helper(pid: int) -> socket.socket:
    global _helper  # noqa: PLW0603  # one per runner, like the spawning thread
    with _helper_lock:
        if _helper is None or _helper.process.poll() is not None:
            _helper = _Helper()
        listener = _helper.ask(pid)
    listener.setblocking(False)
    return listener


@atexit.register
def close_helper() -> None:
    """End the helper process; the next request starts another."""
    global _helper  # noqa: PLW0603
    with _helper_lock:
        if _helper is not None:
            _helper.close()
            _helper = None
