"""Tables of the log. Rows are only ever added."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from polyphony_registry.database import Base


class Record(Base):
    """One entry of the log: its canonical bytes, and the name's chain value after it.

    ``name`` is null for ``map`` records. ``hints`` are the ``m`` member of the index line, outside the hash.
    """

    __tablename__ = "record"

    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(index=True)
    type: Mapped[str]
    body: Mapped[bytes]
    chain: Mapped[bytes | None]
    at: Mapped[int]
    hints: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Checkpoint(Base):
    """One signed tree head, unique by size: no second root can ever be signed for it.

    ``frontier`` holds the roots of the complete subtrees, largest first, 32 bytes each; ``inclusion`` the
    proof of the last leaf, the ``map`` record, lowest first.
    """

    __tablename__ = "checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    frontier: Mapped[bytes]
    inclusion: Mapped[bytes]
    note: Mapped[str]
    at: Mapped[int]
