"""What nodes wrote outside the system: ``begun``, ``failed`` and ``acts`` in one folder, read as they grow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

# Run, path, number of the attempt.
Attempt = tuple[str, str, int]


class Acts:
    """The lines of the three files so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[str, int] = {}
        self._begun: dict[Attempt, int] = {}
        self._highest: dict[tuple[str, str], int] = {}
        self._ended: set[Attempt] = set()
        self._of_pid: dict[int, set[Attempt]] = {}
        self._acts: dict[str, Counter[tuple[str, int]]] = {}

    def read(self) -> None:
        """Take in what was written since. Ends are read first, so that nothing seems to be in flight that ended before it was seen to begin."""
        begun = self._new("begun")
        for words in self._new("acts"):
            attempt = _attempt(words)
            self._ended.add(attempt)
            self._acts.setdefault(attempt[0], Counter())[attempt[1:]] += 1
        self._ended |= {_attempt(words) for words in self._new("failed")}
        for words in begun:
            attempt = _attempt(words)
            self._of_pid.setdefault(int(words[3]), set()).add(attempt)
            place = attempt[:2]
            self._highest[place] = max(self._highest.get(place, 0), attempt[2])

    def in_flight(self, pid: int) -> set[Attempt]:
        """What a process has begun and not ended."""
        mine = self._of_pid.get(pid, set())
        mine -= self._ended
        return set(mine)

    def begun_after(self, attempt: Attempt) -> bool:
        """Whether the same node was begun again with a higher number."""
        return self._highest.get(attempt[:2], 0) > attempt[2]

    def of(self, run: str) -> Counter[tuple[str, int]]:
        """How often each attempt of a run (path, number) did its last act."""
        return self._acts.get(run, Counter())

    def _new(self, name: str) -> list[list[str]]:
        path = self._folder / name
        if not path.exists():
            return []
        with path.open("rb") as stream:
            stream.seek(self._offsets.get(name, 0))
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offsets[name] = self._offsets.get(name, 0) + len(whole)
        return [line.split() for line in whole.decode().splitlines()]


def _attempt(words: list[str]) -> Attempt:
    return words[0], words[1], int(words[2])
