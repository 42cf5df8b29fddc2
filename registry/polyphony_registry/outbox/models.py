"""Table of things still to be done after a commit."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from polyphony_registry.database import Base


class Job(Base):
    """One idempotent piece of work, done in the order of ``id`` and then deleted."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    created: Mapped[int]
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
