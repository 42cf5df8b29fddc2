"""``config.retention``: which finished runs are over their time, and which gave up the files they made.

A run is judged by the melody it ran with. ``runs``: how long a finished run is kept; ``artifacts``: how long the files
and folders it names are, while its journal and values stay; ``keep``: how many of the newest runs of the same melody
are kept whole, however old. What is not finished stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held
from polyphony_runner.runs.folder import RunFolder, all_runs
from polyphony_runner.runs.listing import ends
from polyphony_schemas.errors import PolyphonyError

Verdict = Literal["keep", "values", "remove"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A run, and what becomes of it: kept whole, kept without files and folders (``values``), or removed."""

    folder: RunFolder
    verdict: Verdict


def judge(home: Home, now_ms: int) -> Iterator[Judged]:
    """What becomes of every run of a home, the newest first."""
    newer: Counter[str] = Counter()
    for folder in all_runs(home.runs):
        yield Judged(folder, _verdict(folder, newer, now_ms))


def _verdict(folder: RunFolder, newer: Counter[str], now_ms: int) -> Verdict:
    try:
        record, melody, found = folder.record(), folder.melody(), ends(folder.journal)
    except (PolyphonyError, OSError):
        return "keep"  # a person has to look at it
    same = f"{record.name}\n{record.folder if record.local else ''}"
    newer[same] += 1
    if found is None or found[1].type != "run.finished" or is_held(folder.journal):
        return "keep"
    if newer[same] <= (melody.retention_keep or 0):
        return "keep"
    age = now_ms - found[1].at_ms
    if melody.retention_runs_ms is not None and age > melody.retention_runs_ms:
        return "remove"
    if melody.retention_artifacts_ms is not None and age > melody.retention_artifacts_ms:
        return "values"
    return "keep"
