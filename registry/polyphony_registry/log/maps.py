"""The keyed map in memory, at the sizes of the last seals.

A map shares all but one path with the one before, so a thousand of them cost little. The cache follows the
database: it replays the records that were committed since its last look, in whatever process they were written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from polyphony_registry.log.errors import LogError
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_schemas.trust.keymap import KeyedMap

KEPT_SEALS = 1_000


class MapCache:
    """Maps by checkpoint size. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._size = 0
        self._map = KeyedMap()
        self._by_size: OrderedDict[int, KeyedMap] = OrderedDict()

    def at(self, session: Session, size: int) -> KeyedMap:
        """The map under the checkpoint of ``size`` (0: the empty map).

        Raises LogError PLY4502 (404) for a size that no kept checkpoint has.
        """
        with self._lock:
            if size and size not in self._by_size:
                self._catch_up(session)
            found = self._by_size.get(size) if size else KeyedMap()
        if found is None:
            raise LogError(
                "PLY4502",
                f"no map is kept for the size {size}",
                hint=f"take the size of /log/checkpoint; the last {KEPT_SEALS} are kept",
                status=404,
            )
        return found

    def _catch_up(self, session: Session) -> None:
        sizes = self._new_sizes(session)
        if not sizes:
            return
        if self._size == 0:
            self._start_at(session, sizes[0])
        known = set(sizes)
        rows = session.execute(
            select(Record.index, Record.name, Record.chain)
            .where(Record.index >= self._size, Record.index < sizes[-1])
            .order_by(Record.index)
        )
        for index, name, head in rows:
            self._put(name, head)
            if index + 1 in known:
                self._by_size[index + 1] = self._map
        self._size = sizes[-1]
        while len(self._by_size) > KEPT_SEALS:
            self._by_size.popitem(last=False)

    def _new_sizes(self, session: Session) -> list[int]:
        newest = (
            select(Checkpoint.size)
            .where(Checkpoint.size > self._size)
            .order_by(Checkpoint.size.desc())
            .limit(KEPT_SEALS)
        )
        return sorted(session.scalars(newest))

    def _start_at(self, session: Session, size: int) -> None:
        """Load the heads below the oldest kept seal, instead of replaying the whole log."""
        last = (
            select(func.max(Record.index))
            .where(Record.name.is_not(None), Record.index < size)
            .group_by(Record.name)
        )
        for name, head in session.execute(select(Record.name, Record.chain).where(Record.index.in_(last))):
            self._put(name, head)
        self._by_size[size] = self._map
        self._size = size

    def _put(self, name: str | None, head: bytes | None) -> None:
        if name is not None and head is not None:
            self._map = self._map.put(name, head)
