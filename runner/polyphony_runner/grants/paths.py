"""From a granted path to a checked place on the host: links resolved, dangerous places refused, kind looked at.

The resolved path is what is compared, shown and mounted: a link in the granted text is followed once, here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyphony_runner.grants.safe_files import opened
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.openat2 import open_resolved

# Folders that hold keys and tokens, as the last parts of a path, wherever they lie.
CREDENTIALS = (".ssh", ".aws", ".gnupg", ".docker", ".config/gh")
_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run")


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Places no grant may reach: equal to, below or (since a folder shows its content) above them.

    ``home`` is the person's home folder, which is refused itself and from above but not below; ``private`` are
    folders of the runner (its home with store, keys, artifacts and runs).
    """

    home: Path
    private: tuple[Path, ...]

    @classmethod
    def of(cls, *private: Path) -> Boundaries:
        """The boundaries of this process: its user's home and the runner's own folders, links resolved."""
        return cls(Path("~").expanduser().resolve(), tuple(path.resolve() for path in private))


def resolve(text: str, work: Path) -> Path:
    """The absolute path, links resolved, of a granted path; relative ones and ``~`` as the person meant them."""
    try:
        return (work / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError) as error:
        raise NodeError(
            "permission", "PLY3403", f"the granted path {text!r} cannot be resolved: {error}"
        ) from error


def check(path: Path, boundaries: Boundaries) -> None:
    """Refuse what must never be granted. NodeError PLY3402 names the reason."""
    reason = _refusal(path, boundaries)
    if reason:
        raise NodeError(
            "permission",
            "PLY3402",
            f"the path {str(path)!r} cannot be granted: {reason}",
            hint="grant the project folder itself, or a folder below it",
        )


def _refusal(path: Path, boundaries: Boundaries) -> str | None:
    if path == Path("/"):
        return "it is the root of the file system"
    if boundaries.home.is_relative_to(path):
        return "it is, or holds, your home folder"
    for private in boundaries.private:
        if path.is_relative_to(private) or private.is_relative_to(path):
            return "it is, holds, or lies in, Polyphony's own folder"
    if any(path.is_relative_to(system) or Path(system).is_relative_to(path) for system in _SYSTEM):
        return "it shows the running system, not files"
    text = f"{path.as_posix()}/"
    for name in CREDENTIALS:
        if f"/{name}/" in text:
            return f"{name} holds credentials"
        if os.path.lexists(path / name):
            return f"it holds {name}, which has credentials"
    return None


def kind_of(path: Path, *, may_be_missing: bool) -> Literal["folder", "file", "missing"]:
    """What a checked path is. NodeError PLY3403 for a missing one, PLY3402 for a socket, FIFO or device.

    The path is walked without following any link: one that was exchanged after ``resolve`` is refused.
    """
    try:
        descriptor = open_resolved(path)
    except FileNotFoundError:
        if may_be_missing and path.parent.is_dir():
            return "missing"
        raise NodeError("permission", "PLY3403", f"the granted path {str(path)!r} is not there") from None
    except OSError as error:
        raise NodeError(
            "permission", "PLY3403", f"the granted path {str(path)!r} cannot be opened: {error.strerror}"
        ) from error
    with opened(descriptor):
        mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    raise NodeError(
        "permission",
        "PLY3402",
        f"the path {str(path)!r} cannot be granted: it is neither folder nor regular file",
    )
