"""Table of namespaces."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from polyphony_registry.database import Base


class Namespace(Base):
    """A namespace and its owner. ``squashed`` is the name without hyphens: look-alikes cannot coexist."""

    __tablename__ = "namespace"

    name: Mapped[str] = mapped_column(primary_key=True)
    squashed: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str] = mapped_column(ForeignKey("account.id"))
    created: Mapped[int]
