"""Accounts, tokens, and the one question the rest of the server asks: may this caller do that?"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.accounts.errors import AccountError
from polyphony_registry.accounts.models import Account, Membership, Token
from polyphony_registry.accounts.tokens import is_wellformed, new_token, token_digest

Scope = Literal["read", "publish", "yank", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DAY = 86_400
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the account behind a token, and what the token allows."""

    account: str
    name: str
    scopes: frozenset[str]
    namespaces: frozenset[str]
    expires: int

    def require(self, scope: Scope, namespace: str) -> None:
        """Raise AccountError unless this caller may do ``scope`` in ``namespace``."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise AccountError(
                "PLY4103",
                f"the token of {self.name!r} has the scopes {sorted(self.scopes)}, not {scope!r}",
                hint="ask the registry's operator for a token with that scope",
            )
        if namespace not in self.namespaces:
            raise AccountError(
                "PLY4104",
                f"the token of {self.name!r} is for {sorted(self.namespaces)}, not for {namespace!r}",
                hint=f"the operator adds you with: polyphony registry user add {self.name} --namespace {namespace}",
            )


def add_account(session: Session, name: str, *, now: int) -> Account:
    """The account of that name, made when it is new. Raises AccountError on an impossible name."""
    if not _NAME.fullmatch(name) or "--" in name:
        raise AccountError(
            "PLY4105",
            f"{name!r} is no account name",
            hint="use 1 to 40 of a-z, 0-9 and single hyphens inside",
            status=422,
        )
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        account = Account(id=_new_id(), name=name, created=now)
        session.add(account)
        session.flush()
    return account


def grant(session: Session, account: Account, namespace: str, role: Literal["owner", "publisher"]) -> None:
    """Let an account publish into a namespace; an owner stays an owner."""
    if session.get(Membership, (account.id, namespace)) is None:
        session.add(Membership(account=account.id, namespace=namespace, role=role))


def issue_token(
    session: Session,
    account: Account,
    *,
    now: int,
    scopes: Sequence[Scope] = ("read", "publish", "yank"),
    namespaces: Sequence[str] | None = None,
    days: int = 365,
) -> str:
    """Make a token and return it, the only time it is seen."""
    token = new_token()
    session.add(
        Token(
            digest=token_digest(token),
            account=account.id,
            scopes=list(scopes),
            namespaces=None if namespaces is None else list(namespaces),
            created=now,
            expires=now + days * DAY,
        )
    )
    return token


def authenticate(session: Session, token: str, *, now: int) -> Caller:
    """The caller behind a token. Raises AccountError (401) when it is unknown or expired."""
    row = session.get(Token, token_digest(token)) if is_wellformed(token) else None
    if row is None:
        raise AccountError(
            "PLY4101",
            "this registry does not know the token",
            hint="copy it whole; polyphony registry user add NAME prints another, polyphony login URL keeps it",
            status=401,
        )
    if row.expires <= now:
        raise AccountError(
            "PLY4102",
            "the token has expired",
            hint="polyphony registry user add NAME prints another, polyphony login URL keeps it",
            status=401,
        )
    account = session.get_one(Account, row.account)
    held = frozenset(session.scalars(select(Membership.namespace).where(Membership.account == account.id)))
    allowed = held if row.namespaces is None else held & frozenset(row.namespaces)
    return Caller(account.id, account.name, frozenset(row.scopes), allowed, row.expires)


def list_accounts(session: Session) -> list[tuple[str, list[str]]]:
    """Every account by name, with its namespaces."""
    accounts = session.scalars(select(Account).order_by(Account.name))
    held = select(Membership.namespace).order_by(Membership.namespace)
    return [(a.name, list(session.scalars(held.where(Membership.account == a.id)))) for a in accounts]


def _new_id() -> str:
    return "u_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))
