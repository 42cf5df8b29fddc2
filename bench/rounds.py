"""Measuring in turn: every subject once a round, so that drift and noise hit all alike."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

# One measurement: values by the name of the metric, such as {"wall_ms": 12.0, "cpu_ms": 9.5}.
Sample = dict[str, float]
Subject = Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one subject over all rounds."""

    subject: str
    metric: str
    values: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        """Median, minimum, maximum and every value."""
        return {
            "subject": self.subject,
            "metric": self.metric,
            "median": round(median(self.values), 2),
            "min": round(min(self.values), 2),
            "max": round(max(self.values), 2),
            "values": [round(value, 2) for value in self.values],
        }


def in_turn(subjects: Mapping[str, Subject], rounds: int) -> list[Row]:
    """Each subject once to warm up (files in memory, compiled), then ``rounds`` times in turn."""
    found: dict[tuple[str, str], list[float]] = {}
    for name, subject in subjects.items():
        say(f"    warming up: {name}")
        subject()
    for number in range(rounds):
        say(f"    round {number + 1} of {rounds}")
        for name, subject in subjects.items():
            for metric, value in subject().items():
                found.setdefault((name, metric), []).append(value)
    return [Row(subject, metric, tuple(values)) for (subject, metric), values in found.items()]


def whole_process(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> tuple[Sample, bytes]:
    """Wall and CPU milliseconds (user + system, children too) of a process, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, check=False, env={**os.environ, **(env or {})}
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(
            f"{argv} ended with {done.returncode}: {done.stdout[-2000:]!r} {done.stderr[-2000:]!r}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_ms": wall * 1000, "cpu_ms": cpu * 1000}, done.stdout


def measuring(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Subject:
    """A subject that is a whole process."""
    return lambda: whole_process(argv, env=env)[0]


def telling(argv: Sequence[str | Path]) -> Subject:
    """A subject that measures itself and prints its milliseconds as one JSON object on its last line."""

    def subject() -> Sample:
        _, out = whole_process(argv)
        told: Sample = json.loads(out.decode().strip().splitlines()[-1])
        return told

    return subject


def timed(work: Callable[[], object]) -> Sample:
    """Wall and CPU milliseconds of a call in this process."""
    cpu, start = time.process_time(), time.perf_counter()
    work()
    return {"wall_ms": (time.perf_counter() - start) * 1000, "cpu_ms": (time.process_time() - cpu) * 1000}


def say(text: str) -> None:
    """Progress."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
