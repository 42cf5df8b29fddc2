"""``polyphony login``: keep a registry's token."""

from __future__ import annotations

import sys

import click

from polyphony_cli.client import at_terminal, credentials_of, home_of, transport_of
from polyphony_cli.console import Console
from polyphony_schemas.errors import UsageError


@click.command()
@click.argument("url")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@click.option(
    "--unsafe-plain-http",
    is_flag=True,
    help="Send the token unencrypted to another machine: everybody on the way can read it.",
)
@click.pass_obj
def command(console: Console, url: str, token_stdin: bool, unsafe_plain_http: bool) -> int:
    """Keep the token for the registry at URL.

    The token is asked for, or read from standard input; it is tried before it is kept, in the system's keyring
    when the keyring extra is installed, else in credentials.json (0600).
    """
    from polyphony_runner.credentials import check_token
    from polyphony_runner.logging_in import log_in
    from polyphony_runner.wire import is_loopback, place_of

    scheme, host, _ = place_of(url)  # before anybody is asked for a token
    if scheme == "http" and not is_loopback(host) and not unsafe_plain_http:
        raise UsageError(
            "PLY6410",
            f"{url} is not encrypted, and {host} is another machine: everybody on the way could read the token",
            hint=f"polyphony login https://{host}, or repeat with --unsafe-plain-http",
        )
    token = check_token(_read_token(token_stdin))
    with transport_of(console) as transport:
        me = log_in(home_of(console), credentials_of(console), transport, url.rstrip("/"), token)
    if console.as_json:
        console.document(me)
    console.line(f"{me['account']} at {me['registry']}")
    return 0


def _read_token(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline(4096)
    if at_terminal():
        return str(click.prompt("Token", hide_input=True, err=True))
    raise UsageError(
        "PLY6408", "there is no terminal to ask for the token", hint="polyphony login URL --token-stdin"
    )
