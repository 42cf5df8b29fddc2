"""From recorded facts to the kind of error, for each cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polyphony_runner.sandbox import Limits
from polyphony_runner.sandbox.judge import Facts, Verdict, judge

FACTS = Facts(0, "", 0.1, Limits(cpu=2.0), "full", "prog")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"status": 3}, "exit"),
        ({"status": 139}, "crash"),
        ({"status": 159}, "crash"),
        ({"status": 137}, "crash"),
        ({"status": 137, "cpu_seconds": 2.1}, "cpu"),
        ({"status": 152}, "cpu"),
        ({"status": 153}, "disk"),
        ({"status": 137, "oom_kills": 1}, "memory"),
        ({"status": 0, "oom_kills": 1}, "memory"),
        ({"status": 1, "stderr": "Traceback\nMemoryError\n"}, "memory"),
        (
            {"status": 134, "stderr": "FATAL ERROR: Reached heap limit - JavaScript heap out of memory"},
            "memory",
        ),
        ({"status": 1, "stderr": "RuntimeError: can't start new thread"}, "processes"),
        ({"status": 1, "stderr": "sh: 1: Cannot fork"}, "processes"),
        ({"status": 1, "forks_refused": 3}, "processes"),
        ({"status": 1, "stderr": "OSError: [Errno 28] No space left on device"}, "disk"),
        ({"status": 1, "stderr": "OSError: [Errno 27] File too large"}, "disk"),
        ({"status": None}, "unavailable"),
        ({"status": 1, "stderr": "bwrap: execvp nope: No such file or directory"}, "unavailable"),
        (
            {"status": 127, "stderr": "setpriv: failed to execute x", "level": "full-privileged"},
            "unavailable",
        ),
        ({"status": 127, "stderr": "sh: x: not found", "level": "full-privileged"}, "exit"),
        ({"status": 0, "by_runner": Verdict("timeout", "too long")}, "timeout"),
        ({"status": 137, "oom_kills": 1, "by_runner": Verdict("output", "too much")}, "output"),
    ],
)
def test_each_cause_has_its_own_kind(changes: dict[str, object], kind: str | None) -> None:
    verdict = judge(replace(FACTS, **changes))  # type: ignore[arg-type]  # by name
    assert verdict.kind == kind
    assert (verdict.message == "") == (kind is None)
