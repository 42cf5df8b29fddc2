"""How an execution ended, as one of the error kinds: a pure decision over recorded facts.

Judged in order: what the runner itself did, counters of the control group, the exit status, and, for limits that
reach a program only as a failing call, what it printed last. bubblewrap reports signal n as 128+n, so 137 alone
means nothing. The status is the program's own claim: fine for a report, never a security decision.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from polyphony_runner.sandbox.spec import Level, Limits

TAIL = 4096
SIGNAL_BASE = 128
SETPRIV_FAILED = (126, 127)
MEMORY_WORDS = re.compile(
    r"^MemoryError\b|heap out of memory|OutOfMemoryError|std::bad_alloc|Cannot allocate memory", re.MULTILINE
)
PROCESS_WORDS = re.compile(
    r"can't start new thread|Resource temporarily unavailable|Cannot fork|spawn .* EAGAIN|failed to create new OS thread"
)
DISK_WORDS = re.compile(r"No space left on device|Disk quota exceeded|File too large|ENOSPC|EDQUOT")
START_WORDS = re.compile(r"^(bwrap|supervise): (execvp|confine)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An error kind (None: success) and a sentence."""

    kind: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the end. ``by_runner`` is why the runner itself ended it, if it did."""

    status: int | None
    stderr: str
    cpu_seconds: float
    limits: Limits
    level: Level
    program: str
    by_runner: Verdict | None = None
    oom_kills: int = 0
    forks_refused: int = 0


def judge(facts: Facts) -> Verdict:
    """The verdict."""
    if facts.by_runner:
        return facts.by_runner
    if facts.oom_kills:
        return _memory(facts)
    if facts.status is None or _never_started(facts):
        return Verdict("unavailable", _start_message(facts))
    if facts.status == 0:
        return Verdict(None, "")
    return _by_status(facts, facts.status)


def _never_started(facts: Facts) -> bool:
    tail = facts.stderr[-TAIL:]
    if facts.level == "full-privileged" and facts.status in SETPRIV_FAILED:
        return "setpriv:" in tail
    return facts.status == 1 and bool(START_WORDS.search(tail))


def _start_message(facts: Facts) -> str:
    last = facts.stderr.strip().splitlines()[-1:] or ["no message"]
    return f"{facts.program!r} could not be started in the sandbox: {last[0]}"


def _memory(facts: Facts) -> Verdict:
    return Verdict("memory", f"the program needed more than its {facts.limits.memory} bytes of memory")


def _by_status(facts: Facts, status: int) -> Verdict:
    number = status - SIGNAL_BASE
    limits = facts.limits
    if number == signal.SIGXCPU or (
        number == signal.SIGKILL and limits.cpu is not None and facts.cpu_seconds >= limits.cpu
    ):
        return Verdict("cpu", f"the program used more than its {limits.cpu} s of processor time")
    if number == signal.SIGXFSZ:
        return Verdict("disk", f"the program wrote a file of more than {limits.file_size} bytes")
    tail = facts.stderr[-TAIL:]
    if MEMORY_WORDS.search(tail):
        return _memory(facts)
    if facts.forks_refused or PROCESS_WORDS.search(tail):
        return Verdict(
            "processes", f"the program wanted more than its {limits.processes} processes and threads"
        )
    if DISK_WORDS.search(tail):
        return Verdict("disk", "the program found no space left within its disk limits")
    if 0 < number < signal.NSIG:
        return Verdict("crash", f"the program was ended by signal {number} ({_signal_name(number)})")
    return Verdict("exit", f"the program ended with status {status}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"
