"""Who owns a namespace, and which names can be had at all."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.accounts.models import Account
from polyphony_registry.accounts.services import grant
from polyphony_registry.namespaces.errors import NamingError
from polyphony_registry.namespaces.models import Namespace
from polyphony_registry.namespaces.reserved import FIRST_PARTY, RESERVED_OWNERS
from polyphony_schemas.errors import FormatError
from polyphony_schemas.names import check_name


def squashed(name: str) -> str:
    """The form that must be unique: hyphens do not tell two names apart."""
    return name.replace("-", "")


def claim_namespace(
    session: Session, name: str, owner: Account, *, now: int, first_party: bool = False
) -> Namespace:
    """Give a free namespace to an account, which may then publish into it.

    The caller appends the ``name.claim`` record. Raises NamingError: impossible, reserved, or taken (also by a
    name that differs only in hyphens).
    """
    check_owner(name, first_party=first_party)
    taken = session.scalar(select(Namespace).where(Namespace.squashed == squashed(name)))
    if taken is not None:
        raise NamingError(
            "PLY4203",
            f"the namespace {name!r} cannot be had, {taken.name!r} exists",
            hint="choose a name that differs in more than hyphens",
            status=409,
        )
    namespace = Namespace(name=name, squashed=squashed(name), owner=owner.id, created=now)
    session.add(namespace)
    session.flush()
    grant(session, owner, name, "owner")
    return namespace


def check_owner(name: str, *, first_party: bool = False) -> None:
    """Raise NamingError unless ``name`` can be a namespace. ``first_party`` also allows our own."""
    check_part(name, "namespace")
    if name in RESERVED_OWNERS or (name == FIRST_PARTY and not first_party):
        raise NamingError("PLY4202", f"the namespace {name!r} is reserved", hint="choose another name")


def check_part(name: str, what: str) -> None:
    """Raise NamingError unless ``name`` has the form of an owner or package name."""
    try:
        check_name(name, what)
    except FormatError as error:
        raise NamingError("PLY4201", error.message, hint=error.hint) from None


def namespace_names(session: Session) -> list[str]:
    """All namespaces, sorted."""
    return list(session.scalars(select(Namespace.name).order_by(Namespace.name)))
