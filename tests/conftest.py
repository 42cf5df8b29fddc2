"""House rules for every test: no real home, no network but loopback, and no silent skip where CI asks for none.

Generated examples are the same at every call, and no clock judges them; ``--hypothesis-profile=explore`` looks for new
ones.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_REAL_CONNECT = socket.socket.connect
_HOME = Path.home()
_NUMBERS = itertools.count(1)

settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("explore"), derandomize=True)
settings.load_profile("repeatable")


def _loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a path: AF_UNIX
    host = str(address[0])
    try:
        return host == "localhost" or ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False


def pytest_configure() -> None:
    """Who commits, for fixtures of any scope."""
    os.environ.update(
        GIT_AUTHOR_NAME="Ada",
        GIT_AUTHOR_EMAIL="ada@example.com",
        GIT_COMMITTER_NAME="Ada",
        GIT_COMMITTER_EMAIL="ada@example.com",
    )


@pytest.fixture(autouse=True)
def _no_foreign_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: Any) -> None:
        if not _loopback(address):
            raise AssertionError(f"a test tried to reach {address!r}; tests use loopback alone")
        _REAL_CONNECT(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, _homes: Path) -> Iterator[None]:
    """A home of its own for every test; the real one may not change."""
    home = _homes / str(next(_NUMBERS))
    home.mkdir(mode=0o700)
    for name, value in (
        ("HOME", str(home)),
        ("POLYPHONY_HOME", str(home / "polyphony")),
        ("XDG_CONFIG_HOME", str(home / ".config")),
        ("XDG_DATA_HOME", str(home / ".local/share")),
        ("XDG_CACHE_HOME", str(home / ".cache")),
        ("GIT_CONFIG_GLOBAL", str(home / ".gitconfig")),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ):
        monkeypatch.setenv(name, value)
    before = {name: (_HOME / name).exists() for name in (".polyphony", ".local/share/polyphony")}
    yield
    for name, existed in before.items():
        if not existed and (_HOME / name).exists():
            raise AssertionError(f"a test wrote {name} into the real home folder")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where CI asks for no skips, one skip fails the session."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("POLYPHONY_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
