"""The real sandbox at each level this machine can give, for tests: as root both the privileged and the rootless one.

The rootless level is driven by a process of another user (``sandbox_driver``) with the system's own Python.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from polyphony_runner.sandbox import Exit, Limits, SandboxSpec, run_sandboxed
from polyphony_runner.sandbox.spec import Level
from support.sandbox_driver import portable

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"
AS_ROOT = os.geteuid() == 0
USER = 61200 + os.getpid() % 300  # somebody without an account, outside the pool
QUICK = Limits(wall=60.0, memory=256 << 20)


def _system_python_is_new() -> bool:
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    return (
        Path(SYSTEM_PYTHON).exists()
        and subprocess.run([SYSTEM_PYTHON, "-c", code], check=False).returncode == 0
    )


def other_users() -> list[bool]:
    """Who can drive a level that every user has: this user, and, where there is one, another."""
    return [False, True] if AS_ROOT and _system_python_is_new() else [False]


def levels() -> list[Level]:
    if not AS_ROOT:
        return ["full"]
    return ["full-privileged", "full"] if _system_python_is_new() else ["full-privileged"]


@functools.cache
def _view() -> Path:
    """Where the other user sees this checkout, which may lie in a folder that is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="polyphony-view-", dir="/tmp"))
    folder.chmod(0o755)
    atexit.register(folder.rmdir)
    return folder


def seen(path: Path | str) -> str:
    """A path of this checkout as the other user sees it; any other as it is."""
    place = Path(path)
    return str(_view() / place.relative_to(ROOT)) if place.is_relative_to(ROOT) else str(place)


def as_user(*words: str) -> list[str]:
    """Words that run as the other user, who sees the checkout at ``seen``."""
    shown = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        'mount --bind "$0" "$1"; shift; exec "$@"',
    ]
    return [
        *shown,
        str(ROOT),
        str(_view()),
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        *words,
    ]


def user_environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": ":".join(seen(ROOT / part) for part in ("runner", "schemas", "tests")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@dataclass(frozen=True)
class Box:
    """One level with a folder of its own. ``as_other``: driven by a process of another user."""

    level: Level
    folder: Path
    lines: list[bytes]
    as_other: bool = False

    @property
    def in_process(self) -> bool:
        return not self.as_other

    @property
    def work(self) -> Path:
        return self.folder / "ws"

    def spec(self, *argv: str, **fields: object) -> SandboxSpec:
        return replace(SandboxSpec(argv, self.work, limits=QUICK), **fields)  # type: ignore[arg-type]  # by name

    def run(self, *argv: str, wants_lines: bool = False, **fields: object) -> Exit:
        return self.run_spec(self.spec(*argv, **fields), wants_lines=wants_lines)

    def python(self, code: str, *, wants_lines: bool = False, **fields: object) -> Exit:
        return self.run(SYSTEM_PYTHON, "-I", "-S", "-c", code, wants_lines=wants_lines, **fields)

    def run_spec(self, spec: SandboxSpec, *, wants_lines: bool = False) -> Exit:
        self.lines.clear()
        if self.in_process:
            on_line = self.lines.append if wants_lines else None
            return asyncio.run(run_sandboxed(spec, level=self.level, on_line=on_line))
        ended, lines = pickle.loads(self.driven("sandbox_driver", portable((spec, wants_lines, self.level))))
        self.lines.extend(lines)
        assert isinstance(ended, Exit)
        return ended

    def driven(self, driver: str, request: bytes) -> bytes:
        """Run a driver of ``support`` as the other user."""
        done = subprocess.run(
            as_user(SYSTEM_PYTHON, "-m", f"support.{driver}"),
            input=request,
            capture_output=True,
            env=user_environment(self.folder),
            cwd="/",
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@contextmanager
def make_box(level: Level, *, as_other: bool | None = None) -> Iterator[Box]:
    """A box. ``as_other`` is told for a level that every user has; it follows from the others."""
    folder = Path(tempfile.mkdtemp(prefix="polyphony-box-", dir="/tmp"))
    other = AS_ROOT and level == "full" if as_other is None else as_other
    try:
        box = Box(level, folder, [], other)
        box.work.mkdir(mode=0o700)
        if not box.in_process:
            for path in (folder, box.work):
                os.chown(path, USER, USER)
        yield box
    finally:
        shutil.rmtree(folder)


def processes_with(marker: str) -> list[int]:
    """Host processes whose command line holds the marker, ourselves left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


OWN_PYTHON = Path(sys.executable)
