"""``polyphony secret``: keep, list and forget the secrets that nodes may be granted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import at_terminal, home_of
from polyphony_cli.console import Console
from polyphony_cli.verbs import VerbGroup
from polyphony_schemas.errors import UsageError

if TYPE_CHECKING:
    from polyphony_runner.secret_store import SecretStore


@click.group(cls=VerbGroup)
def command() -> None:
    """Keep, list and forget the secrets that nodes may be granted."""


@command.command(
    "set", short_help="Keep a secret", epilog="Example: polyphony secret set API_KEY <api-key.txt"
)
@click.argument("name")
@click.option(
    "--passphrase",
    "protect",
    is_flag=True,
    help="Encrypt with a passphrase, which every run that needs a secret asks for.",
)
@click.pass_obj
def set_(console: Console, name: str, protect: bool) -> int:
    """Keep the secret NAME. Its value is asked for, or read from standard input; it is never an argument.

    It goes into the system's keyring when the keyring extra is installed, else encrypted into secrets.json of the
    home. One line end after the value is left out.
    """
    kept = _store(console).set(name, _value(name), passphrase=protect)
    if console.as_json:
        console.document({"name": kept.name, "place": kept.place})
    else:
        console.line(f"{kept.name}  {kept.place}")
    return 0


@command.command(
    "list", short_help="List names; never values", epilog="Example: polyphony secret list --json"
)
@click.pass_obj
def list_(console: Console) -> int:
    """List the names of the secrets that are kept, and where. Values are never shown."""
    found = _store(console).names()
    if console.as_json:
        console.document({"secrets": [{"name": one.name, "place": one.place} for one in found]})
    for one in found:
        console.line(f"{one.name}  {one.place}")
    if not found:
        console.hint("polyphony secret set NAME keeps one")
    return 0


@command.command("rm", short_help="Forget a secret", epilog="Example: polyphony secret rm API_KEY")
@click.argument("name")
@click.pass_obj
def remove(console: Console, name: str) -> int:
    """Forget the secret NAME and its value."""
    _store(console).remove(name)
    if console.as_json:
        console.document({"name": name, "removed": True})
    else:
        console.line(name)
    return 0


def _store(console: Console) -> SecretStore:
    from polyphony_runner.credentials import system_keyring
    from polyphony_runner.secret_store import SecretStore

    return SecretStore(home_of(console).root, system_keyring(), ask=ask_passphrase)


def ask_passphrase(question: str) -> str | None:
    """A passphrase typed at the terminal; None when there is nobody to ask."""
    if not at_terminal():
        return None
    return str(click.prompt(question, hide_input=True, default="", show_default=False, err=True)) or None


def _value(name: str) -> bytes:
    """What is typed, without echo, or all of standard input without one line end."""
    if at_terminal():
        return str(click.prompt(f"Value of {name}", hide_input=True, err=True)).encode()
    text = sys.stdin.read()
    if not text:
        raise UsageError(
            "PLY3715",
            f"there is no value for the secret {name!r} on standard input",
            hint=f"printf %s VALUE | polyphony secret set {name}",
        )
    return text.removesuffix("\n").removesuffix("\r").encode("utf-8", "surrogateescape")
