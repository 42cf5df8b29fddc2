"""``registry serve``: granian processes around ``Front`` and the application, upkeep beside them.

The server processes are forked. Invariant: when they are, this process has no thread of ours and no open
database; a lock held by a thread at that moment would stay locked in the child for ever.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_registry.errors import SetupError
from polyphony_registry.settings import Settings

if TYPE_CHECKING:
    from polyphony_registry.front import Front

DATA_VARIABLE = "POLYPHONY_REGISTRY_DATA"
URL_VARIABLE = "POLYPHONY_REGISTRY_URL"
_PDEATHSIG = 1
_READY_SECONDS = 60.0


def make_application() -> Front:
    """What each server process runs; data folder and address come from the environment that ``serve`` set."""
    from polyphony_registry.app import create_app
    from polyphony_registry.front import Front
    from polyphony_registry.upkeep import Upkeep
    from polyphony_registry.web import services_of

    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stored = Settings.load(Path(os.environ[DATA_VARIABLE]))
    settings = stored.model_copy(update={"url": os.environ[URL_VARIABLE]})
    application = create_app(settings)
    Upkeep(services_of(application)).start()
    return Front(settings, application)


def serve(settings: Settings, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; calls ``ready`` with the port once requests are answered.

    Raises SetupError PLY4011 when the address cannot be had.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.server import Server

    from polyphony_registry import app, front  # noqa: F401  # imported once here, shared by the forked processes

    port = free_port(host, port)
    _bring_up_to_date(settings)
    os.environ[DATA_VARIABLE] = str(settings.data)
    os.environ[URL_VARIABLE] = settings.at(host, port).url
    server = Server(
        "polyphony_registry.server:make_application",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        factory=True,
        log_enabled=False,
    )
    announcer = multiprocessing.get_context("fork").Process(
        target=_announce, args=(host, port, ready), daemon=True
    )
    announcer.start()
    server.serve()
    announcer.terminate()
    announcer.join()


def _bring_up_to_date(settings: Settings) -> None:
    """Schema, waiting jobs, missing files, a fresh checkpoint: before the first request, and before the fork."""
    from polyphony_registry.setup import prepare
    from polyphony_registry.upkeep import Upkeep

    services = prepare(settings)
    try:
        for left in settings.spool.iterdir():
            left.unlink(missing_ok=True)
        Upkeep(services).round()
        services.outbox.restore()
    finally:
        services.close()


def free_port(host: str, port: int) -> int:
    """``port``, or a free one for 0. Raises SetupError PLY4011 when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise SetupError(
                "PLY4011",
                f"cannot listen on {host}:{port}: {(getattr(error, 'strerror', None) or str(error)).lower()}",
                hint="--host takes an address of this machine, such as 127.0.0.1"
                if isinstance(error, socket.gaierror)
                else "choose another --port, or 0 for a free one",
            ) from None
        return int(probe.getsockname()[1])


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however it dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)


def _announce(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Say that the server is ready as soon as it answers; runs in a process of its own, see the invariant."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        try:
            with opener.open(f"http://{_address(host)}:{port}/healthz", timeout=2):
                ready(port)
                return
        except OSError:
            time.sleep(0.05)


def _address(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104  # listened on everywhere, asked on loopback
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"  # noqa: S104
    return f"[{host}]" if ":" in host else host
