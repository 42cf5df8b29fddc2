"""``polyphony key``: make, list, export and import signing keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from polyphony_cli.client import ask_secret, keys_of
from polyphony_cli.console import Console
from polyphony_cli.verbs import VerbGroup
from polyphony_schemas.errors import UsageError


@click.group(cls=VerbGroup)
def command() -> None:
    """Make, list, export and import signing keys."""


@command.command(short_help="Make a signing key", epilog="Example: polyphony key new release --passphrase")
@click.argument("name", default="default")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["ed25519", "p256"]),
    default="ed25519",
    show_default=True,
    help="The algorithm: Ed25519, or ECDSA over P-256.",
)
@click.option("--passphrase", "protect", is_flag=True, help="Encrypt the key; its passphrase is asked for.")
@click.pass_obj
def new(console: Console, name: str, kind: str, protect: bool) -> int:
    """Make a signing key called NAME ('default' when none is given)."""
    from polyphony_runner.keys import KeyType

    info = keys_of(console).new(name, cast("KeyType", kind), _new_passphrase() if protect else None)
    console.document(info.to_json()) if console.as_json else console.line(f"{info.name}  {info.hint}")
    console.hint("polyphony publish signs with it; keep a second key offline")
    return 0


@command.command("list", short_help="List the keys of this home", epilog="Example: polyphony key list")
@click.pass_obj
def list_(console: Console) -> int:
    """List the keys of this home."""
    found = keys_of(console).list()
    if console.as_json:
        console.document({"keys": [info.to_json() for info in found]})
    for info in found:
        console.line(f"{info.name}  {info.algorithm}  {info.hint}{'  encrypted' if info.encrypted else ''}")
    if not found:
        console.hint("polyphony key new NAME makes one")
    return 0


@command.command(
    short_help="Print a key, by default its public half",
    epilog="Example: polyphony key export default -o ada.pem",
)
@click.argument("name")
@click.option("--private", "secret", is_flag=True, help="The private key, not only its public half.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE (0600) instead of stdout.",
)
@click.pass_obj
def export(console: Console, name: str, secret: bool, output: Path | None) -> int:
    """Print the public half of the key NAME as PEM, or with --private the key itself (PKCS#8)."""
    from polyphony_runner.files import write_atomic
    from polyphony_runner.keys import private_pem

    keys = keys_of(console)
    pem = private_pem(keys.private(name, ask_secret)) if secret else keys.public_pem(name)
    if output is not None:
        write_atomic(output.absolute(), pem)
    if console.as_json:
        console.document({**keys.info(name).to_json(), "pem": None if output else pem.decode()})
    elif output is None:
        console.line(pem.decode().rstrip("\n"))
    return 0


@command.command(
    "import", short_help="Keep a private key from a file", epilog="Example: polyphony key import ci ci.pem"
)
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--passphrase", "protect", is_flag=True, help="Encrypt the copy that is kept.")
@click.pass_obj
def import_(console: Console, name: str, file: Path, protect: bool) -> int:
    """Keep the private key in FILE (PKCS#8 PEM, - for stdin) under NAME."""
    from polyphony_runner.keys import load_pem

    try:
        pem = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(
            "PLY6308", f"{file} cannot be read: {error.strerror}", hint="give a PEM file"
        ) from error
    key = load_pem(pem, str(file), ask_secret)
    info = keys_of(console).keep(name, key, _new_passphrase() if protect else None)
    console.document(info.to_json()) if console.as_json else console.line(f"{info.name}  {info.hint}")
    return 0


def _new_passphrase() -> str:
    found = ask_secret("Passphrase for the new key")
    if not found:
        raise UsageError(
            "PLY6304",
            "--passphrase was given, and nobody gave one",
            hint="answer on a terminal, or set POLYPHONY_KEY_PASSPHRASE",
        )
    return found
