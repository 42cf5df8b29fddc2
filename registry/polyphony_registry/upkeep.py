"""What happens by the clock: waiting jobs again, a fresh checkpoint when the newest is old, staged commits forgotten."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from polyphony_registry.git.protocol import Repository
from polyphony_registry.services import Services

_LOG = logging.getLogger(__name__)
_HOUR = 3600


class Upkeep:
    """A round every ``settings.upkeep`` seconds in a thread of its own. Several processes may each run one."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.time) -> None:
        self._services = services
        self._clock = clock

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, name="upkeep", daemon=True).start()

    def round(self) -> None:
        """Do what is due now."""
        now = int(self._clock())
        found = self._services
        if found.outbox.waiting():
            found.outbox.drain()
        with found.database.write() as session:
            refreshed = found.log.refresh(session, now=now, oldest=found.settings.freshness)
        if refreshed:
            found.outbox.drain()
        self.forget_staged(now)

    def forget_staged(self, now: int) -> int:
        """Drop staging refs older than ``settings.staging_hours``; returns how many."""
        settings = self._services.settings
        oldest = now - settings.staging_hours * _HOUR
        dropped = 0
        for ref in settings.repositories.glob("*/*.git/refs/staging/*"):
            try:
                if ref.stat().st_mtime >= oldest:
                    continue
            except FileNotFoundError:
                continue
            folder = ref.parents[2]
            repository = Repository(folder.parent.name, folder.name.removesuffix(".git"))
            self._services.git.delete_ref(repository, f"refs/staging/{ref.name}")
            dropped += 1
        return dropped

    def _run(self) -> None:
        while True:
            time.sleep(self._services.settings.upkeep)
            try:
                self.round()
            except Exception:  # noqa: BLE001  # upkeep must outlive whatever failed once
                _LOG.exception("upkeep failed; the next round tries again")
