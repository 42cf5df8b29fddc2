"""One warm worker: its sandbox, its control socket, and when it is worn out."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from polyphony_runner.sandbox import argv, limits, tree
from polyphony_runner.sandbox.cgroup import ControlGroup, control_group
from polyphony_runner.sandbox.errors import WARM_BOOT, WarmBootError
from polyphony_runner.sandbox.machine import bwrap_path
from polyphony_runner.sandbox.netns import listener_in
from polyphony_runner.sandbox.prepare import prepared
from polyphony_runner.sandbox.process import SandboxProcess, StartError, spawn_bwrap
from polyphony_runner.sandbox.spec import Level, SandboxSpec
from polyphony_runner.sandbox.stdio import Edges, pump_stderr, readable

if TYPE_CHECKING:
    from polyphony_runner.sandbox.proxy import Proxy

SERVER = Path(__file__).with_name("server.py")
SERVER_INSIDE = "/polyphony_warm_server.py"
BOOT_SECONDS = 60.0
MAX_CALLS = 1000
MAX_AGE = 600.0
MAX_GROWTH = 64 << 20
MESSAGE = 64 << 10
MAX_NUMBER = 1 << 62
RUN_COLD = "the node is run cold, which shows its own error"


@dataclass(frozen=True, slots=True)
class WarmSpec:
    """What a worker is made of.

    ``key`` names extension, environment, policy, secrets **and principal**: equal keys share workers. Of ``spec``
    count mounts, files, environment, endpoints, secrets and limits; ``argv``, ``stdin`` and ``work`` are each
    call's own. ``python`` is the interpreter's path inside, ``main`` a file inside that defines
    ``boot(*arguments)`` and returns the function to call (see ``server.py``).
    """

    key: str
    spec: SandboxSpec
    python: str
    main: str
    arguments: tuple[str, ...] = ()


class Worker:
    """A booted fork server. Made by ``boot``; ``close`` ends it and proves its tree dead."""

    def __init__(self, warm: WarmSpec, level: Level, folder: Path, state: Path | None) -> None:
        self.warm = warm
        self.level = level
        self.calls = 0
        self.born = self.idle_since = time.monotonic()
        self.retired = ""
        self.proxy: Proxy | None = None
        self.group = ControlGroup()
        self.process: SandboxProcess
        self.control: socket.socket
        self.edges = Edges()
        self.uid = 0
        self.pool = Path(mkdtemp(prefix="worker-", dir=folder))
        self._state = state
        self._stack = AsyncExitStack()
        self._first_resident = 0
        self._shows_copies = False
        self._drain: list[asyncio.Future[None]] = []

    async def boot(self) -> None:
        """Start the server and wait until it is ready; WarmBootError PLY3008 with the reason."""
        try:
            await self._start()
            answer = await self.receive(BOOT_SECONDS)
        except (StartError, TimeoutError, OSError) as error:
            await self.close()
            raise WarmBootError(
                WARM_BOOT, f"the warm worker did not start: {error}", hint=RUN_COLD
            ) from error
        except BaseException:
            await self.close()
            raise
        if not isinstance(answer.get("ready"), int):
            await self.close()
            reason = str(answer.get("failed") or self.edges.text() or "it ended at once")
            raise WarmBootError(
                WARM_BOOT,
                f"the warm worker did not come up: {reason.strip().splitlines()[-1]}",
                hint=RUN_COLD,
                details={"trace": reason},
            )
        self._first_resident = int(str(answer["ready"]))

    async def _start(self) -> None:
        stack = self._stack
        stack.callback(tree.remove_tree, self.pool)
        self.pool.chmod(0o711 if self.level == "full-privileged" else 0o700)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = ours
        stack.callback(ours.close)
        ours.setblocking(False)
        with theirs:
            words = (self.warm.python, "-I", "-S", "-B", "-X", "utf8", SERVER_INSIDE, str(theirs.fileno()))
            spec = replace(
                self.warm.spec,
                argv=(*words, self.warm.main, *self.warm.arguments),
                work=self.pool,
                files={**self.warm.spec.files, SERVER_INSIDE: SERVER.read_bytes()},
                chdir="/ws",
            )
            ready = await stack.enter_async_context(prepared(spec, self.level, self._state, own_work=False))
            self.uid = ready.uid
            self._shows_copies = any(
                shown.source != mount.source and not mount.shared
                for mount, shown in zip(spec.mounts, ready.mounts, strict=True)
            )
            options = argv.build(spec, self.level, uid=ready.uid, mounts=ready.mounts)
            if self.level == "full":
                options.add(
                    "--as-pid-1"
                )  # else pid 1 is bubblewrap's, with the program's uid and readable memory
            payload = argv.payload(spec, self.level, uid=ready.uid)
            mounted = [mount.fd for mount in ready.mounts if mount.fd is not None]
            fds = (theirs.fileno(), *mounted)
            self.group = stack.enter_context(control_group(spec.limits))
            self.process = await spawn_bwrap(bwrap_path(), options, payload, self.group, pass_fds=fds)
        stack.push_async_callback(self._end)
        await self.process.wait_created()
        self.group.take(self.process.pid, spec.limits)
        bounds = replace(spec.limits, cpu=None)  # each call has its own
        limits.apply(self.process.pid, bounds, memory=not self.group.bounds_memory, processes=True)
        if spec.endpoints:
            listener = await listener_in(self.process.pid, self.level)
            from polyphony_runner.sandbox.proxy import Proxy  # most programs have no network

            self.proxy = Proxy(spec.endpoints, spec.host_proxy)
            await stack.enter_async_context(self.proxy.serving(listener))
        self.process.release()
        self.process.close_fd("stdin")
        for fd in (self.process.stdout, self.process.stderr):
            self._drain.append(asyncio.ensure_future(pump_stderr(fd, self.edges, None)))

    async def _end(self) -> None:
        await self.process.end()
        for task in self._drain:
            task.cancel()
        await asyncio.gather(*self._drain, return_exceptions=True)
        self.process.close()

    def send(self, request: dict[str, object], fds: tuple[int, int, int]) -> None:
        """One call. Only pipes pass: a directory's descriptor would be a way out of the sandbox."""
        for fd in fds:
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                raise ValueError("only pipes may be passed into a sandbox")
        socket.send_fds(self.control, [json.dumps(request).encode()], list(fds))

    async def receive(self, seconds: float | None = None) -> dict[str, object]:
        """The next answer; empty when the server is gone."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    message = self.control.recv(MESSAGE)
                except BlockingIOError:
                    await readable(self.control.fileno())
                    continue
                except ConnectionResetError:
                    return {}
                break
        return _answer(message)

    def worn(self, answer: dict[str, object]) -> str:
        """Why this worker must not take another call, or an empty text."""
        resident = answer.get("rss")
        if self.retired:
            return self.retired
        if not answer:
            return "it ended"
        if self._shows_copies:
            return "it shows copies of granted paths, which may have changed by the next call"
        if answer.get("left") or any(self.pool.iterdir()):
            return "a call left files behind"
        if not isinstance(answer.get("rc"), int) or int(str(answer["rc"])) < 0:
            return "a call ended by a signal"
        if not isinstance(resident, int) or resident - self._first_resident > MAX_GROWTH:
            return "its memory grew"
        if self.calls >= MAX_CALLS or time.monotonic() - self.born > MAX_AGE:
            return "its time is over"
        return ""

    async def close(self) -> None:
        """End the sandbox and remove its folders. Safe to call twice."""
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()


def _answer(message: bytes) -> dict[str, object]:
    """What the server said, which a hostile extension may have said in its place: numbers within bounds, or nothing."""
    try:
        answer = json.loads(message) if message else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(answer, dict):
        return {}
    bounded = all(not isinstance(value, int) or abs(value) < MAX_NUMBER for value in answer.values())
    return answer if bounded else {}
