"""Private work folders: one for each execution, removed whatever a node left in it.

All of one runtime lie in one session folder, which a lock marks as in use. What a killed runner left behind is
removed by the next one that starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from pathlib import Path

from polyphony_runner.files import exclusive, private_folder
from polyphony_runner.runtimes.outputs import OUT
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.tree import remove_tree

_LOCK = ".lock"
WORK = "ws"
# Most calls leave nothing; making and removing two folders would cost a warm call a quarter of its time.
MAX_SPARE = 32


class Scratch:
    """Work folders below one private folder, on the same file system as everything else of the home."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._session: Path | None = None
        self._lock = -1
        self._spare: dict[Hashable, list[Path]] = {}

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
    async def folder(self, *, outputs: bool, share: Hashable = None) -> AsyncIterator[Path]:
        """An empty work folder; with ``outputs`` it holds the folder that is shown at /out.

        A folder that came back untouched is given out again, but only under the same ``share``: a warm worker
        lives on, and what its extension left running there may keep a descriptor of every folder it was shown.
        """
        spare = self._spare.setdefault(share, [])
        outer = None if outputs or not spare else spare.pop()
        if outer is None:
            outer = Path(tempfile.mkdtemp(prefix="node-", dir=self.session()))  # 0700: hides what is inside
            (outer / WORK).mkdir(mode=0o755)
        work = outer / WORK
        try:
            if outputs:
                (work / OUT).mkdir()
                (work / OUT).chmod(0o777)  # inside a private folder; the sandbox's own user writes here
            yield work
        finally:
            if not outputs and len(spare) < MAX_SPARE and _is_untouched(outer):
                spare.append(outer)
            else:
                await in_thread(remove_tree, outer)

    def close(self) -> None:
        """Remove the session folder. Blocking; the next use makes another one."""
        session, self._session = self._session, None
        self._spare.clear()
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


def _is_untouched(outer: Path) -> bool:
    """Whether a work folder came back alone and as an empty folder, its mode set back to what it was."""
    work = outer / WORK
    status = work.lstat()
    if os.listdir(outer) != [WORK]:  # noqa: PTH208  # half the cost of pathlib's
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or os.listdir(work):  # noqa: PTH208
        return False
    if stat.S_IMODE(status.st_mode) != 0o755:
        work.chmod(0o755)
    return True
