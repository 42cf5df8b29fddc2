"""What ``registry init`` and ``registry user add`` do: data folder, log key, accounts, namespaces, tokens."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyphony_registry.accounts.models import Account
from polyphony_registry.accounts.services import Scope, add_account, grant, issue_token
from polyphony_registry.binding import add_line
from polyphony_registry.database import Database
from polyphony_registry.errors import SetupError
from polyphony_registry.git.environment import require_git
from polyphony_registry.log.keeper import Draft, LogKeeper
from polyphony_registry.log.key import load_log_key, make_log_key
from polyphony_registry.migrations import upgrade
from polyphony_registry.namespaces.models import Namespace
from polyphony_registry.namespaces.services import check_owner, claim_namespace, namespace_names
from polyphony_registry.services import Services
from polyphony_registry.settings import CONFIG_NAME, Settings, address_of
from polyphony_runner.files import write_atomic

# What statements and checkpoints can carry as a registry's identity.
_ORIGIN = re.compile(r"[a-z0-9](?:[a-z0-9._:/-]{0,190}[a-z0-9])?")
_HOOK = """#!/bin/sh
exec {python} -I -m polyphony_registry.git.pre_receive
"""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person needs: a token, shown once, and the line that binds the registry."""

    account: str
    namespaces: tuple[str, ...]
    token: str
    log_key: str
    add: str


def initialise(settings: Settings, owner: str, namespaces: Sequence[str], *, now: int) -> Invitation:
    """Make a registry in an empty or new folder.

    Raises SetupError PLY4007 when one, or anything else, is there already, NamingError for names that cannot be had.
    """
    require_git()
    _check_origin(settings)
    for name in namespaces:
        check_owner(name, first_party=True)
    if (settings.data / CONFIG_NAME).exists():
        raise SetupError(
            "PLY4007",
            f"{str(settings.data)!r} holds a registry already",
            hint="polyphony registry serve starts it; choose another --data for a new one",
        )
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.data.chmod(0o700)
    if any(settings.data.iterdir()):
        raise SetupError(
            "PLY4007",
            f"{str(settings.data)!r} is not empty, and holds no whole registry",
            hint="look at what is there and remove it, or choose another --data",
        )
    try:
        make_log_key(settings)
        invitation = _first_rows(settings, owner, namespaces, now=now)
        settings.save()
    except BaseException:  # a refused name too: the next try finds the folder as this one did
        for made in settings.data.iterdir():
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        raise
    return invitation


def prepare(settings: Settings) -> Services:
    """Bring a data folder up to date before it is served: schema, hook, waiting jobs, a fresh checkpoint."""
    require_git()
    upgrade_database(settings)
    write_hook(settings)
    settings.spool.mkdir(mode=0o700, exist_ok=True)
    return Services.open(settings)


def upgrade_database(settings: Settings) -> None:
    """Apply the migrations that are missing."""
    database = Database(settings.database)
    try:
        upgrade(database)
    finally:
        database.close()


def write_hook(settings: Settings) -> None:
    """Write the pre-receive hook for the Python that runs now.

    By rename: a server may be taking a push at this moment, and half a hook would refuse nothing.
    """
    settings.hooks.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = _HOOK.format(python=shlex.quote(sys.executable))
    write_atomic(settings.hooks / "pre-receive", text.encode(), mode=0o700)


def add_user(
    services: Services,
    name: str,
    namespaces: Sequence[str],
    *,
    now: int,
    scopes: Sequence[Scope] = ("read", "publish", "yank"),
    days: int = 365,
) -> Invitation:
    """Another account, or another token of one, for existing namespaces or for new ones of its own."""
    with services.database.write() as session:
        account = add_account(session, name, now=now)
        drafts = []
        for namespace in namespaces:
            if session.get(Namespace, namespace) is not None:
                grant(session, account, namespace, "publisher")
            else:
                claim_namespace(session, namespace, account, now=now)
                drafts.append(_claim(namespace, account, "new"))
        if drafts:
            services.log.append(session, drafts, now=now)
        token = issue_token(
            session, account, now=now, scopes=scopes, namespaces=list(namespaces) or None, days=days
        )
        everything = namespace_names(session)
    services.outbox.drain()
    key = str(services.log.verifier_key)
    return Invitation(name, tuple(namespaces), token, key, add_line(services.settings, key, everything))


def describe(data: Path, host: str, port: int) -> dict[str, object]:
    """What a running registry says about itself: address, origin, log key, and the line for users."""
    here = Settings.load(data).at(host, port)
    services = Services.open(here)
    try:
        with services.database.read() as session:
            names = namespace_names(session)
        key = str(services.log.verifier_key)
    finally:
        services.close()
    line = add_line(here, key, names)
    return {"url": address_of(host, port), "port": port, "origin": here.origin, "log_key": key, "add": line}


def _first_rows(settings: Settings, owner: str, namespaces: Sequence[str], *, now: int) -> Invitation:
    upgrade_database(settings)
    write_hook(settings)
    database = Database(settings.database)
    log = LogKeeper(settings.log_origin, load_log_key(settings), settings.published)
    try:
        with database.write() as session:
            account = add_account(session, owner, now=now)
            for name in namespaces:
                claim_namespace(session, name, account, now=now, first_party=True)
            log.append(session, [_claim(name, account, "admin") for name in namespaces], now=now)
            token = issue_token(session, account, now=now, scopes=("read", "publish", "yank", "admin"))
    finally:
        database.close()
    key = str(log.verifier_key)
    return Invitation(owner, tuple(namespaces), token, key, add_line(settings, key, namespaces))


def _claim(namespace: str, owner: Account, how: str) -> Draft:
    return Draft({"type": "name.claim", "name": namespace, "owner": owner.id, "how": how})


def _check_origin(settings: Settings) -> None:
    if not _ORIGIN.fullmatch(settings.origin):
        raise SetupError(
            "PLY4010",
            f"got origin {settings.origin!r}, expected a lower-case name like 'registry.example'",
            hint="the origin is the registry's name for ever; it needs no address",
        )
