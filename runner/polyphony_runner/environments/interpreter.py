"""The Python that extensions run on: the runner's own base interpreter, mounted at its own path."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polyphony_runner.sandbox.interpreter import interpreter_mounts
from polyphony_runner.sandbox.spec import Mount


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``executable`` with links resolved, ``identity`` what the digest of an environment covers."""

    executable: Path
    full_version: str
    identity: str

    @property
    def version(self) -> str:
        """Major and minor: ``3.11``."""
        return ".".join(self.full_version.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """Where an environment keeps its packages, relative to it."""
        return f"lib/python{self.version}/site-packages"

    def mounts(self) -> tuple[Mount, ...]:
        """What has to be shown inside; nothing when it is part of the system.

        At its own path: a shared build that is moved loads the system's library instead of its own.
        """
        return _mounts(self.executable)


@cache
def _mounts(executable: Path) -> tuple[Mount, ...]:
    return interpreter_mounts(executable)


@cache
def own_interpreter() -> Interpreter:
    """The interpreter under the runner's virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    executable = Path(os.path.realpath(base))
    status = executable.stat()
    version = ".".join(map(str, sys.version_info[:3]))
    parts = (
        str(executable),
        sys.implementation.cache_tag or "",
        version,
        sysconfig.get_platform(),
        str(status.st_size),
    )
    return Interpreter(executable, version, "\n".join(parts))
