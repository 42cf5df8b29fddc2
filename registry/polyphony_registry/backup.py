"""``registry backup``: one tar of everything that cannot be made again, taken while the registry runs.

The database comes first, as SQLite's own consistent copy. Git repositories only grow and publishing tags what the
database already holds, so copying them afterwards never misses what the copy of the database speaks of.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from polyphony_registry.settings import CONFIG_NAME, Settings


def write_backup(settings: Settings, target: Path) -> int:
    """Write the tar (0600) by temporary name and rename; returns its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=".backup-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file, tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / settings.database.name
            _copy_database(settings.database, copy)
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(copy, settings.database.name)
                for path in _kept(settings):
                    tar.add(path, str(path.relative_to(settings.data)), recursive=False)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return target.stat().st_size


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _kept(settings: Settings) -> Iterator[Path]:
    yield settings.data / CONFIG_NAME
    yield settings.log_key
    for path in sorted(settings.repositories.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock") and "quarantine" not in path.as_posix():
            yield path
