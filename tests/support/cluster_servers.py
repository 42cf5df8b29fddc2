"""Real PostgreSQL and Redis on free ports for the tests of the cluster, never as root, gone with the test run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import redis

_PATIENCE = 60.0
# Durability against a power cut is not what these tests are about. A commit has to outlive a killed server: WAL is
# handed to the kernel before it returns (synchronous_commit stays on).
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
)


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_program(name: str) -> str:
    """A program of PostgreSQL: from PATH, else from the newest version that Debian's packages installed."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name}: install the package postgresql")
    return found


class Postgres:
    """A server with one superuser ``polyphony`` and trust on loopback. ``settings`` are lines of its configuration."""

    def __init__(self, settings: Sequence[str] = _SETTINGS) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="polyphony-postgres-"))
        self.port = free_port()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                *_unprivileged(),
                postgres_program("initdb"),
                *("--pgdata", str(self.folder / "data"), "--username", "polyphony"),
                *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        self.start()

    @property
    def pid(self) -> int:
        """The server's process."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = [word for line in self._settings for word in ("-c", line)]
        self._process = subprocess.Popen(
            [
                *_unprivileged(),
                postgres_program("postgres"),
                *("-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)),
                *("-c", "listen_addresses=127.0.0.1", *settings),
            ],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        wait_for(self._answers, "PostgreSQL")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT disconnects everybody, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_PATIENCE)
            self._process = None

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"d{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return self._url(name)

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _url(self, name: str) -> str:
        return f"postgresql://polyphony@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Redis:
    """A Redis without persistence: what it holds is gone when it stops."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """The server's process."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *_unprivileged("nobody"),
                "redis-server",
                *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            ],
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        wait_for(self._answers, "Redis")

    def stop(self) -> None:
        """Stop at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None

    def flush(self) -> None:
        """Lose everything."""
        with redis.Redis(port=self.port) as connection:
            connection.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as connection:
                return bool(connection.ping())
        except redis.RedisError:
            return False


def wait_for(condition: Callable[[], object], what: str, seconds: float = _PATIENCE) -> None:
    """Wait until the condition holds; machines that run tests may be slow."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for: {what}")
        time.sleep(0.02)


def _unprivileged(user: str = "postgres") -> list[str]:
    """Words before a command: another user when we are root (the servers refuse root), and gone when we are gone."""
    words = ["setpriv", "--pdeathsig", "KILL"]
    if os.getuid() == 0:
        account = pwd.getpwnam(user)
        words += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return words
