"""Blocking work that is never left half-way: a cancelled caller still waits for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def in_thread(
    work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ``work`` in a thread. When the caller is cancelled, CancelledError follows only after ``work`` has ended.

    So nothing is removed while a thread still writes to it, and changes to the host's files are made whole.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    cancelled = False
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        running.exception()  # seen: the cancellation is what the caller asked for
        raise asyncio.CancelledError
    return running.result()
