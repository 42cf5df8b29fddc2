"""Where a node stands in a run (docs/journal.md): ``fix[3]/lint``; the run itself is ``""``."""

from __future__ import annotations

import re
from typing import Protocol

ROOT = ""
_ROUND = re.compile(r"\[\d+\]")


class Placed(Protocol):
    """A node or a frame: what has a path."""

    @property
    def path(self) -> str:
        """Ids joined by ``/``, iterations in brackets."""
        ...


def without_rounds(path: str) -> str:
    """The path of a node in every round: ``fix[3]/lint`` is ``fix/lint``."""
    return _ROUND.sub("", path) if "[" in path else path


def place(frame: Placed, name: str) -> str:
    """The path of a node of this frame."""
    return f"{frame.path}/{name}" if frame.path else name


def iteration(node: Placed, index: int) -> str:
    """The path of one iteration of a scope."""
    return f"{node.path}[{index}]"
