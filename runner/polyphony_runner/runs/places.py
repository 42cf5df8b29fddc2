"""How many nodes of all runs of a home run at once: ``locks/places/<number>``, each held by flock while a node runs."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

from polyphony_runner.files import private_folder
from polyphony_runner.runs.shared_locks import try_lock

_PAUSE_SECONDS = 0.02


class MachinePlaces:
    """So many places over all processes; who dies gives its places back."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    async def take(self) -> Callable[[], None]:
        """Wait for a place and give what frees it."""
        folder = private_folder(self._folder)
        while True:
            for number in range(self._count):
                held = try_lock(folder / str(number))
                if held is not None:
                    return lambda held=held: os.close(held)  # type: ignore[misc]  # bound now, not when called
            await asyncio.sleep(_PAUSE_SECONDS * (1 + random.random()))  # noqa: S311  # spreads, no secret
