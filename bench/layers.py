"""What isolation costs: the same program bare, supervised, at each level of this machine, with network, warm; and the proxy."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from rounds import Sample, Subject, timed

from polyphony_runner.sandbox import Endpoint, SandboxSpec, landlock, run_sandboxed
from polyphony_runner.sandbox.preflight import current_level
from polyphony_runner.sandbox.proxy import Proxy
from polyphony_runner.sandbox.spec import Level
from polyphony_runner.sandbox.warm import WarmPool, WarmSpec
from polyphony_runner.sandbox.warm.call import Request

SYSTEM_PYTHON = ("/usr/bin/python3", "-I", "-S", "-c", "pass")
MAIN = b"def boot():\n    return lambda *_: None\n"
MEGABYTES = 256


@contextlib.contextmanager
def layers() -> Iterator[Mapping[str, Subject]]:
    """``true`` and a Python that does nothing, each way; and a warm call of a function that does nothing."""
    own = current_level()
    possible: tuple[Level, ...] = ("landlock",) if landlock.abi() >= landlock.OLDEST_ABI else ()
    chosen: tuple[Level, ...] = ("none", *possible, own)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        base = SandboxSpec(("true",), Path(folder, "ws"))

        def boxed(level: Level, spec: SandboxSpec) -> Subject:
            def once() -> Sample:
                spec.work.mkdir(exist_ok=True)
                return timed(lambda: loop.run(run_sandboxed(spec, level=level)))

            return once

        networked = replace(base, endpoints=(Endpoint("example.com", 443),))
        subjects: dict[str, Subject] = {"true, bare": bare("true")}
        subjects |= {f"true, level {level}": boxed(level, base) for level in chosen}
        subjects[f"true, level {own} with network"] = boxed(own, networked)
        subjects["python -I -S, bare"] = bare(*SYSTEM_PYTHON)
        python = replace(base, argv=SYSTEM_PYTHON)
        subjects |= {f"python -I -S, level {level}": boxed(level, python) for level in chosen}
        pool = WarmPool(Path(folder, "warm"), own, None)
        warm = WarmSpec("bench", replace(base, files={"/main.py": MAIN}), SYSTEM_PYTHON[0], "/main.py")

        def call() -> Sample:
            base.work.mkdir(exist_ok=True)
            return timed(lambda: loop.run(pool.call(warm, Request(b"{}\n", base.work, base.limits))))

        subjects["warm call"] = call
        try:
            yield subjects
        finally:
            loop.run(pool.close())


def bare(*words: str) -> Subject:
    """A process without anything around it."""
    return lambda: timed(lambda: subprocess.run(words, check=True, stdin=subprocess.DEVNULL))


@contextlib.contextmanager
def proxied() -> Iterator[Mapping[str, Subject]]:
    """One stream over loopback, by itself and through the sandbox's proxy."""
    with socket.create_server(("127.0.0.1", 0)) as source, socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_pour, args=(source,), daemon=True).start()
        target, port = source.getsockname()[1], listener.getsockname()[1]
        over = threading.Event()
        serving = threading.Thread(target=_serve, args=(listener, target, over))
        serving.start()
        try:
            yield {
                "direct": lambda: _read(target, b""),
                "proxied": lambda: _read(port, f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode()),
            }
        finally:
            over.set()
            serving.join()


def _pour(source: socket.socket) -> None:
    chunk = bytes(1 << 20)
    with contextlib.suppress(OSError):
        while True:
            peer, _ = source.accept()
            with peer:
                peer.recv(1)
                for _ in range(MEGABYTES):
                    peer.sendall(chunk)


def _serve(listener: socket.socket, target: int, over: threading.Event) -> None:
    async def main() -> None:
        proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
        async with proxy.serving(listener):
            await asyncio.to_thread(over.wait)

    asyncio.run(main())


def _read(port: int, head: bytes) -> Sample:
    """In a process of its own, as a sandboxed program is."""
    code = (
        "import socket, sys, time\n"
        "peer = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "head = sys.argv[2].encode().decode('unicode_escape').encode()\n"
        "if head: peer.sendall(head); peer.recv(4096)\n"
        "began, count, buffer = time.perf_counter(), 0, bytearray(1 << 20)\n"
        "peer.sendall(b'x')\n"
        "while got := peer.recv_into(buffer): count += got\n"
        "print(count / (time.perf_counter() - began) / 1e6)\n"
    )
    escaped = head.decode().encode("unicode_escape").decode()
    words = [sys.executable, "-I", "-S", "-c", code, str(port), escaped]
    return {"mb_per_s": float(subprocess.run(words, check=True, capture_output=True).stdout)}
