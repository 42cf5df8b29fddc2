"""Tables: who may do what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from polyphony_registry.database import Base


class Account(Base):
    """A person or a machine. ``id`` is opaque, for the log; ``name`` stays in the database."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created: Mapped[int]


class Membership(Base):
    """An account may publish into a namespace; the owner may do everything there."""

    __tablename__ = "membership"

    account: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    namespace: Mapped[str] = mapped_column(ForeignKey("namespace.name"), primary_key=True)
    role: Mapped[str]


class Token(Base):
    """A token by its digest. ``namespaces`` null: all of the account's; ``expires`` unix seconds."""

    __tablename__ = "token"

    digest: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.id"))
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    namespaces: Mapped[list[Any] | None] = mapped_column(JSON)
    created: Mapped[int]
    expires: Mapped[int]
