"""Removing tool environments that nobody has used for a while; the next node that wants one makes it again.

Beside an environment lies ``.DIGEST.used``: its time is that of the last use, and whoever may start programs of the
environment holds a shared lock on it for as long. What is locked stays, however old.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from polyphony_runner.sandbox.tree import measure, remove_tree

KEPT_DAYS = 30
_REMOVED = ".removed-"


def hold(folder: Path, digest: str) -> int:
    """Note a use now and keep the environment from being removed until the descriptor that is returned is closed.

    Waits for a removal that is under way, which takes a moment.
    """
    descriptor = os.open(
        folder / f".{digest}.used", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.utime(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def collect_environments(folder: Path, *, before: float, dry_run: bool = False) -> Iterator[int]:
    """Remove the environments last used before a moment (Unix seconds); gives the bytes of each. Blocking."""
    if not folder.is_dir():
        return
    for left in () if dry_run else folder.glob(f"{_REMOVED}*"):
        remove_tree(left)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_dir() or _used_at(path) >= before:
            continue
        with _alone(path) as alone:
            if not alone or not path.is_dir() or _used_at(path) >= before:
                continue
            size = measure(path).size
            if not dry_run:
                _remove(path)
        yield size


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.used")


def _used_at(path: Path) -> float:
    try:
        return _mark(path).stat().st_mtime
    except FileNotFoundError:  # made by a version that noted no uses
        return path.stat().st_mtime


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody holds the environment; nobody can, while the context lasts."""
    used_at, marked = _used_at(path), _mark(path).exists()
    descriptor = os.open(_mark(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if not marked:
            os.utime(descriptor, (used_at, used_at))  # to look is no use
        yield True
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Take an environment away: its name at once, its files then, also when this is interrupted."""
    aside = path.with_name(f"{_REMOVED}{path.name}-{secrets.token_hex(4)}")
    path.chmod(0o755)  # a folder that moves has to be writable
    path.rename(aside)
    remove_tree(aside)
