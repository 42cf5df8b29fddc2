"""The files of a folder as validation wants them: by path with ``/``, read when asked for, links never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

MAX_FILES = 20_000
MAX_FILE_BYTES = 1 << 20
_SKIPPED = frozenset({".git", "__pycache__", "node_modules", ".venv"})


class FolderFiles(Mapping[str, bytes]):
    """What is below ``root``, at most 20,000 files; a file over 1 MiB reads as its first bytes plus one.

    No format of ours is that big, so its reader refuses it by size.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def _names(self) -> dict[str, Path]:
        return dict(zip(*_listing(self._root), strict=True))

    def __getitem__(self, name: str) -> bytes:
        with self._names[name].open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)


def _listing(root: Path) -> tuple[list[str], list[Path]]:
    names: list[str] = []
    paths: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for file in sorted(files):
            path = Path(folder) / file
            if stat.S_ISREG(path.lstat().st_mode) and len(names) < MAX_FILES:
                names.append(path.relative_to(root).as_posix())
                paths.append(path)
    return names, paths
