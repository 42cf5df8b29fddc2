"""Tables of the catalogue. What is public for ever stands in the log; these rows are for reading quickly."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from polyphony_registry.database import Base


class Package(Base):
    """A package. ``latest`` is the highest published version that is no pre-release, else the highest."""

    __tablename__ = "package"
    __table_args__ = (UniqueConstraint("owner", "squashed"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("namespace.name"))
    name: Mapped[str]
    squashed: Mapped[str]
    created: Mapped[int]
    latest: Mapped[str]

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


class Version(Base):
    """One published version, for ever. ``core`` is the version without build metadata; ``index`` its log record.

    ``kind`` is melody or extension, ``role`` an extension's own kind (instrument, operator, addon).
    """

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("package", "core"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    package: Mapped[int] = mapped_column(ForeignKey("package.id"), index=True)
    version: Mapped[str]
    core: Mapped[str]
    kind: Mapped[str]
    role: Mapped[str]
    summary: Mapped[str]
    license: Mapped[str]
    keywords: Mapped[list[Any]] = mapped_column(JSON)
    commit: Mapped[str]
    tree: Mapped[str] = mapped_column(index=True)
    manifest: Mapped[str]
    permissions_digest: Mapped[str]
    permissions: Mapped[dict[str, Any]] = mapped_column(JSON)
    dependencies: Mapped[dict[str, Any]] = mapped_column(JSON)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    readme: Mapped[str]
    source: Mapped[str]
    bundle: Mapped[str] = mapped_column(ForeignKey("bundle.digest"))
    signer: Mapped[str]
    index: Mapped[int] = mapped_column(index=True)
    publisher: Mapped[str] = mapped_column(ForeignKey("account.id"))
    published: Mapped[int]


class Bundle(Base):
    """A signature bundle's bytes by their digest."""

    __tablename__ = "bundle"

    digest: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes]
