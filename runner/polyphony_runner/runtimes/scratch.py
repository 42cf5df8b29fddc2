"""Private work folders: one for each execution, removed whatever a node left in it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from polyphony_runner.files import private_folder
from polyphony_runner.runtimes.outputs import OUT
from polyphony_runner.sandbox.tree import remove_tree


class Scratch:
    """Work folders below one private folder, on the same file system as everything else of the home."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made = False

    @asynccontextmanager
    async def folder(self, *, outputs: bool) -> AsyncIterator[Path]:
        """A new, empty work folder; with ``outputs`` it holds the folder that is shown at /out."""
        if not self._made:
            private_folder(self._root)
            self._made = True
        outer = Path(
            tempfile.mkdtemp(prefix="node-", dir=self._root)
        )  # 0700: nobody else reaches what is inside
        try:
            work = outer / "ws"
            work.mkdir(mode=0o755)
            if outputs:
                (work / OUT).mkdir()
                (work / OUT).chmod(0o777)  # inside a private folder; the sandbox's own user writes here
            yield work
        finally:
            await asyncio.to_thread(remove_tree, outer)
