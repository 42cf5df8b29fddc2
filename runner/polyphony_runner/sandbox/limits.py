"""Bounds set from outside on the waiting first process of a sandbox, before its program exists."""

from __future__ import annotations

import contextlib
import math
import resource
from pathlib import Path

from polyphony_runner.sandbox.spec import Limits

CPU_GRACE = 2  # seconds between SIGXCPU and SIGKILL
MEMORY_LOCK = 64 << 10
OOM_SCORE = 500
CORE = 1  # 0 still feeds a core_pattern that is a pipe; 1 does not


def rlimits(limits: Limits, *, memory: bool, processes: bool) -> dict[int, tuple[int, int]]:
    """resource -> (soft, hard). ``memory`` where no control group bounds it: RLIMIT_DATA, because runtimes
    reserve address space they never use. ``processes`` where the program has a user id of its own: the kernel
    counts them per user.
    """
    bounds = {
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: CORE,
        resource.RLIMIT_MEMLOCK: MEMORY_LOCK,
    }
    if processes:
        bounds[resource.RLIMIT_NPROC] = limits.processes
    if limits.file_size is not None:
        bounds[resource.RLIMIT_FSIZE] = limits.file_size
    if memory and limits.memory is not None:
        bounds[resource.RLIMIT_DATA] = limits.memory
    pairs = {which: (bound, bound) for which, bound in bounds.items()}
    if limits.cpu is not None:
        soft = max(1, math.ceil(limits.cpu))
        pairs[resource.RLIMIT_CPU] = (soft, soft + CPU_GRACE)
    return pairs


def apply(pid: int, limits: Limits, *, memory: bool, processes: bool) -> None:
    """Set the bounds of ``pid`` and make the kernel prefer it when memory runs out."""
    for which, pair in rlimits(limits, memory=memory, processes=processes).items():
        _, hard = resource.prlimit(pid, which)
        if hard != resource.RLIM_INFINITY:  # ours may be lower already, and only root may raise it
            pair = (min(pair[0], hard), min(pair[1], hard))  # noqa: PLW2901
        resource.prlimit(pid, which, pair)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(OOM_SCORE))
