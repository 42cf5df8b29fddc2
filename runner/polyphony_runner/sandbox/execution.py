"""One program in one sandbox: start, bounds, streams, timers, end, verdict."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polyphony_runner.sandbox import argv, limits
from polyphony_runner.sandbox.aside import aside
from polyphony_runner.sandbox.attending import Attended, Streams, ask_to_end, stop
from polyphony_runner.sandbox.cgroup import ControlGroup, control_group
from polyphony_runner.sandbox.confined import bounds, spawn_confined, temporary_folder
from polyphony_runner.sandbox.judge import Facts, Verdict, judge
from polyphony_runner.sandbox.machine import bwrap_path
from polyphony_runner.sandbox.netns import listener_in
from polyphony_runner.sandbox.prepare import Prepared
from polyphony_runner.sandbox.process import DEATH_SECONDS, SandboxProcess, StartError, spawn_bwrap
from polyphony_runner.sandbox.spec import Exit, Level, SandboxSpec
from polyphony_runner.sandbox.stdio import copy_stdin, pump_stderr, write_all
from polyphony_runner.sandbox.unsandboxed import spawn_supervised
from polyphony_runner.sandbox.watch import Disk, watch_group, watch_memory

if TYPE_CHECKING:
    from polyphony_runner.sandbox.proxy import Proxy

NAMESPACED = ("full", "full-privileged")
SUPERVISED = ("none", "wasm")  # nothing of the kernel's isolates

__all__ = ["Execution", "Streams"]


@dataclass(slots=True)
class Execution(Attended):
    """The owner of one sandbox."""

    spec: SandboxSpec
    level: Level
    ready: Prepared

    async def run(self) -> Exit:
        """From spawn to verdict; on return no process of the tree is left."""
        work = self.spec.work
        rw = [mount.source for mount in self.ready.mounts if mount.mode == "rw"]
        if self.level == "landlock":
            rw.append(temporary_folder(self.spec))
        writable = (work, *(place for place in rw if work not in place.parents))
        self.disk = await aside(writable, Disk.at, writable, self.spec.limits)
        with control_group(self.spec.limits) as group:
            process = await self._spawn(group)
            try:
                return await self._attended(process, group)
            finally:
                await process.end()
                process.close()

    async def _attended(self, process: SandboxProcess, group: ControlGroup) -> Exit:
        try:
            await process.wait_created()
        except (StartError, TimeoutError) as error:
            return await self._unavailable(process, str(error) or "bubblewrap did not answer")
        if self.disk is not None:
            self.disk.pid = process.pid
        group.take(process.pid, self.spec.limits)
        limits.apply(
            process.pid,
            bounds(self.spec.limits) if self.level == "landlock" else self.spec.limits,
            memory=not group.bounds_memory,
            processes=self.level not in SUPERVISED,
        )
        async with AsyncExitStack() as stack:
            proxy = await self._network(process, stack)
            stdout = await self._attend(process, group)
            return await self._judge(process, group, proxy, stdout)

    async def _spawn(self, group: ControlGroup) -> SandboxProcess:
        if self.level in SUPERVISED:
            # a private copy is what WebAssembly is shown; without a sandbox paths are the host's
            shown = replace(self.spec, mounts=self.ready.mounts) if self.spec.wasm else self.spec
            return await spawn_supervised(shown, group)
        if self.level == "landlock":
            return await spawn_confined(self.spec, self.ready, group)
        options = argv.build(self.spec, self.level, uid=self.ready.uid, mounts=self.ready.mounts)
        words = argv.payload(self.spec, self.level, uid=self.ready.uid)
        fds = [mount.fd for mount in self.ready.mounts if mount.fd is not None]
        return await spawn_bwrap(bwrap_path(), options, words, group, pass_fds=fds)

    async def _network(self, process: SandboxProcess, stack: AsyncExitStack) -> Proxy | None:
        if not self.spec.endpoints or self.level in SUPERVISED:
            return None
        listener = await listener_in(process.pid, self.level)
        from polyphony_runner.sandbox.proxy import Proxy  # most programs have no network

        proxy = Proxy(self.spec.endpoints, self.spec.host_proxy, self.streams.on_connection)
        proxy.allowance = self.network_allowance(self.spec.limits)
        await stack.enter_async_context(proxy.serving(listener))
        return proxy

    async def _attend(self, process: SandboxProcess, group: ControlGroup) -> bytes:
        """Release the program, pump and watch it; its standard output, when nothing of it is alive any more."""
        spec = self.spec
        process.release()
        pumps = self.pump(process.stdout, process.stderr, spec.limits)
        side = [
            asyncio.ensure_future(self._feed(process)),
            asyncio.ensure_future(self.ending.watch(self.disk)),
        ]
        if spec.limits.memory is not None:
            side.append(asyncio.ensure_future(self._memory(process.pid, group, spec.limits.memory)))
        try:
            await self._until_dead(process)
            if self.level not in NAMESPACED:
                group.end()
            return await pumps.drained()
        finally:
            await pumps.stop()
            await stop(*side)

    async def _feed(self, process: SandboxProcess) -> None:
        """The request, then end of file, unless a cancel message may follow."""
        if self.streams.stdin is not None:
            copy_stdin(self.streams.stdin, process.stdin)
            process.stdin = -1
            return
        await write_all(process.stdin, self.spec.stdin)
        if self.streams.replies is not None:
            async for data in self.streams.replies.until_end():
                await write_all(process.stdin, data)
            process.close_fd("stdin")
            await asyncio.sleep(self.spec.grace)
            self.ending.because(Verdict(None, ""))  # all that was asked of it is done
        elif not self.spec.cancel_message:
            process.close_fd("stdin")

    async def _memory(self, pid: int, group: ControlGroup, bound: int) -> None:
        watch = watch_group(group, bound) if group.bounds_memory else watch_memory(pid, bound)
        self.ending.because(await watch)

    async def _until_dead(self, process: SandboxProcess) -> None:
        """Wait for the end of the tree, or bring it about."""
        death = asyncio.ensure_future(process.wait_dead())
        try:
            if reason := await self.reason_before(death, self.spec.limits.wall):
                message, replies = self.spec.cancel_message, self.streams.replies
                await ask_to_end(
                    reason, process.stdin, message, death, grace=self.spec.grace, replies=replies
                )
                process.kill()
                await asyncio.wait((death,), timeout=DEATH_SECONDS)
        finally:
            await stop(death)

    async def _judge(
        self, process: SandboxProcess, group: ControlGroup, proxy: Proxy | None, stdout: bytes
    ) -> Exit:
        cpu_seconds = process.cpu_seconds
        status = process.exit_code()
        # a burst may fit between two looks
        if self.disk is not None and (verdict := await aside(self.disk.places, self.disk.verdict)):
            self.ending.because(verdict)
        facts = Facts(
            status=status,
            stderr=self.edges.text(),
            cpu_seconds=cpu_seconds,
            limits=self.spec.limits,
            level=self.level,
            program=self.spec.argv[0],
            by_runner=self.ending.verdict,
            oom_kills=group.oom_kills(),
            forks_refused=group.forks_refused(),
        )
        found = judge(facts)
        sampled = self.spec.limits.memory is not None and not group.bounds_memory
        notes = (*self.ready.notes, "memory is sampled") if sampled else self.ready.notes
        return Exit(
            kind=found.kind,
            status=status,
            message=found.message,
            stderr=facts.stderr,
            seconds=time.monotonic() - self.started,
            connections=tuple(proxy.connections) if proxy else (),
            max_rss=group.peak_memory(),
            stdout=stdout,
            cpu_seconds=cpu_seconds,
            notes=notes,
        )

    async def _unavailable(self, process: SandboxProcess, reason: str) -> Exit:
        await process.end()
        await pump_stderr(process.stderr, self.edges, None)
        text = self.edges.text()
        message = text.strip().splitlines()[-1] if text.strip() else reason
        return Exit("unavailable", None, message, text, time.monotonic() - self.started)
