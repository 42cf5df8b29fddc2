"""Every table of the registry, imported in one place so that ``Base.metadata`` is whole."""

from __future__ import annotations

from polyphony_registry.accounts.models import Account, Membership, Token
from polyphony_registry.database import Base
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_registry.namespaces.models import Namespace
from polyphony_registry.outbox.models import Job
from polyphony_registry.packages.models import Bundle, Package, Version

__all__ = [
    "Account",
    "Base",
    "Bundle",
    "Checkpoint",
    "Job",
    "Membership",
    "Namespace",
    "Package",
    "Record",
    "Token",
    "Version",
]
