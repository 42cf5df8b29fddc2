"""What the verbs of the client share: the home, the keys, and asking a person at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError, TrustError, UsageError

if TYPE_CHECKING:
    from polyphony_runner.credentials import Credentials
    from polyphony_runner.home import Home
    from polyphony_runner.http import Transport
    from polyphony_runner.install.resolve import Policy
    from polyphony_runner.keys import ManagedKeys
    from polyphony_runner.registries.table import Registries
    from polyphony_schemas.lock import Lock
    from polyphony_schemas.names import PackageReference

T = TypeVar("T")
# A version that wants more than was agreed to: by its ceiling, and by how it writes.
_WIDER = frozenset({"PLY5604", "PLY3720"})
PASSPHRASE_VARIABLE = "POLYPHONY_KEY_PASSPHRASE"  # noqa: S105 -- the name of a variable


def home_of(console: Console) -> Home:
    """The home of this call."""
    from polyphony_runner.home import Home

    return Home.at(console.home)


def keys_of(console: Console) -> ManagedKeys:
    """The signing keys of this call's home."""
    from polyphony_runner.keys import ManagedKeys

    return ManagedKeys(home_of(console).keys, os.environ)


def credentials_of(console: Console) -> Credentials:
    """The logins of this call's home."""
    from polyphony_runner.credentials import Credentials, system_keyring

    return Credentials(home_of(console).credentials, system_keyring())


def transport_of(console: Console) -> Transport:
    """HTTP under this call's flags; close it."""
    from polyphony_runner.http import Transport

    return Transport(offline=console.offline)


def at_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_secret(question: str) -> str | None:
    """A secret from the environment or typed at the terminal; None when there is nobody to ask."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given:
        return given
    if not at_terminal():
        return None
    answer = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    return str(answer) or None


def confirm(question: str) -> bool | None:
    """Yes or no at the terminal; None when there is nobody to ask."""
    return click.confirm(question, default=False, err=True) if at_terminal() else None


def registries_of(console: Console, transport: Transport) -> Registries:
    """The registries of this call's home; ``--registry`` (an origin or a URL) is asked first. PLY6505, PLY6507."""
    from polyphony_runner.registries.choosing import asking_first
    from polyphony_runner.registries.table import Registries

    registries = Registries(home_of(console))
    return asking_first(registries, transport, console.registry) if console.registry else registries


def packages_of(names: Sequence[str]) -> list[PackageReference]:
    """The packages named on the command line; a path is no name."""
    from polyphony_schemas.names import looks_like_path, parse_package

    for name in names:
        if looks_like_path(name):
            raise UsageError(
                "PLY7001",
                f"{name!r} is a path, expected the name of a package, like ada/hello",
                hint=f"polyphony run {name} runs a folder, polyphony lock {name} locks what it uses",
            )
    return [parse_package(name) for name in names]


def with_consent(policy: Policy, act: Callable[[Policy], T]) -> T:
    """Do it; what asks for more than was agreed to is shown on a terminal, and tried again when the person agrees."""
    while True:
        try:
            return act(policy)
        except PolyphonyError as error:
            digest = error.details.get("digest")
            if error.code not in _WIDER or not isinstance(digest, str) or digest in policy.accepted:
                raise
            if not at_terminal():
                raise
            click.echo(error.message, err=True)
            if not click.confirm("Take it with these permissions?", default=False, err=True):
                raise
            policy = replace(policy, accepted=policy.accepted | {digest})


@contextmanager
def suggesting(registries: Registries, transport: Transport) -> Iterator[None]:
    """Add the nearest name to the refusal of a package that is not in the log."""
    from polyphony_runner.search_client import nearest_name

    try:
        yield
    except TrustError as error:
        name = error.details.get("name")
        if error.code == "PLY5303" and isinstance(name, str):
            meant = nearest_name(registries, transport, name)
            error.hint = f"{meant} {error.hint}" if meant else error.hint
        raise


def lock_of(console: Console, cwd: Path, *, everywhere: bool = False) -> Lock:
    """The lock that ``install`` would change here; an empty one when there is none."""
    from polyphony_runner.locking import install_place, read_lock
    from polyphony_schemas.lock import Lock

    return read_lock(install_place(home_of(console), cwd, everywhere=everywhere)) or Lock()
