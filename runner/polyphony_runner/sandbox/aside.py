"""Blocking work on folders: in a thread, unless there is nothing in them. Waking a thread takes longer than looking."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ParamSpec, TypeVar

from polyphony_runner.sandbox.tree import opened

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def aside(
    folders: Iterable[Path],
    work: Callable[Parameters, Result],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """What ``work`` gives, whose cost depends on what these folders hold."""
    if all(map(_is_empty, folders)):
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _is_empty(folder: Path) -> bool:
    try:
        with opened(folder) as descriptor, os.scandir(descriptor) as entries:
            return next(entries, None) is None
    except OSError:  # no folder, or none that may be opened
        return False
