"""Private work folders: one for each execution, removed whatever a node left in it.

All of one runtime lie in one session folder, which a lock marks as in use. What a killed runner left behind is
removed by the next one that starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from polyphony_runner.files import exclusive, private_folder
from polyphony_runner.runtimes.outputs import OUT
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.tree import remove_tree

_LOCK = ".lock"


class Scratch:
    """Work folders below one private folder, on the same file system as everything else of the home."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._session: Path | None = None
        self._lock = -1

    def session(self) -> Path:
        """This runtime's own folder, made at first use. Blocking."""
        if self._session is None:
            private_folder(self._root)
            with exclusive(self._root.with_name(f"{self._root.name}.lock")):
                self._sweep()
                self._session = Path(tempfile.mkdtemp(prefix="session-", dir=self._root))
                self._lock = os.open(self._session / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._session

    @asynccontextmanager
    async def folder(self, *, outputs: bool) -> AsyncIterator[Path]:
        """A new, empty work folder; with ``outputs`` it holds the folder that is shown at /out."""
        outer = Path(
            tempfile.mkdtemp(prefix="node-", dir=self.session())
        )  # 0700: nobody else reaches the inside
        work = outer / "ws"
        try:
            work.mkdir(mode=0o755)
            if outputs:
                (work / OUT).mkdir()
                (work / OUT).chmod(0o777)  # inside a private folder; the sandbox's own user writes here
            yield work
        finally:
            try:
                work.rmdir()  # most calls leave nothing, and a thread costs more than this
                outer.rmdir()
            except OSError:
                await in_thread(remove_tree, outer)

    def close(self) -> None:
        """Remove the session folder. Blocking; the next use makes another one."""
        session, self._session = self._session, None
        if session is not None:
            remove_tree(session)
            os.close(self._lock)

    def _sweep(self) -> None:
        """Remove the folders of sessions whose runner is gone."""
        for left in self._root.glob("session-*"):
            with contextlib.suppress(OSError):
                descriptor = os.open(left / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_tree(left)
                finally:
                    os.close(descriptor)
