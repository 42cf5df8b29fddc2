"""``registry backup`` and ``restore``: one tar of everything that cannot be made again, taken while the registry runs.

The database comes first, as SQLite's own consistent copy. Git repositories only grow and publishing tags what the
database already holds, so copying them afterwards never misses what the copy of the database speaks of.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from polyphony_registry.check import Report, check
from polyphony_registry.errors import SetupError
from polyphony_registry.settings import CONFIG_NAME, Settings
from polyphony_registry.setup import prepare

_NO_BACKUP = "give the file that polyphony registry backup wrote"


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
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return target.stat().st_size


def restore_backup(file: Path, data: Path) -> Report:
    """Unpack a backup into a new folder, make what is published again, and check it all. Signs nothing.

    Raises SetupError: PLY4013 for a folder that holds something, PLY4014 for a file that is no backup. The folder
    is there only when the whole tar could be unpacked.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise SetupError(
            "PLY4013", f"{str(data)!r} is not empty", hint="choose a new folder: --data DIR", status=409
        )
    data.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".restore-", dir=data.parent))
    try:
        _unpack(file, draft)
        Settings.load(draft)
        draft.replace(data)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    services = prepare(Settings.load(data))
    try:
        services.outbox.drain()
        services.outbox.restore()
        return check(services)
    finally:
        services.close()


def _unpack(file: Path, folder: Path) -> None:
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                if not member.isfile() or not _belongs(member.name):
                    raise SetupError(
                        "PLY4014",
                        f"{str(file)!r} holds {member.name!r}, which no backup has",
                        hint=_NO_BACKUP,
                    )
                _write(tar, member, folder / member.name)
    except (OSError, tarfile.TarError, EOFError) as error:
        why = next(iter(str(error).splitlines()), "").rstrip(":")  # tarfile lists every method it tried
        raise SetupError("PLY4014", f"{str(file)!r} cannot be unpacked: {why}", hint=_NO_BACKUP) from None
    (folder / "git").mkdir(mode=0o700, exist_ok=True)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    """One regular file, new, for its owner alone; ``tarfile``'s own filters are not in every Python 3.11."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = tar.extractfile(member)
    with place.open("xb") as target:
        if source is not None:
            shutil.copyfileobj(source, target)
    place.chmod(member.mode & 0o700 | 0o400)


def _belongs(name: str) -> bool:
    return name in (CONFIG_NAME, "registry.sqlite", "keys/log.pem") or (
        name.startswith("git/") and ".." not in name.split("/")
    )


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def _kept(settings: Settings) -> Iterator[Path]:
    yield settings.data / CONFIG_NAME
    yield settings.log_key
    for path in sorted(settings.repositories.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock") and "quarantine" not in path.as_posix():
            yield path
