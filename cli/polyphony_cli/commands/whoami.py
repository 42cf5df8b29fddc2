"""``polyphony whoami``: who the registry takes the kept token for."""

from __future__ import annotations

import click

from polyphony_cli.client import credentials_of, transport_of
from polyphony_cli.console import Console


@click.command()
@click.pass_obj
def command(console: Console) -> int:
    """Say who the registry takes you for."""
    from polyphony_runner.api import Api

    login = credentials_of(console).choose(console.registry)
    with transport_of(console) as transport:
        me = Api.of(login, transport).whoami()
    if console.as_json:
        console.document(me)
    spaces = me.get("namespaces")
    listed = ", ".join(str(one) for one in spaces) if isinstance(spaces, list) else ""
    console.line(f"{me.get('account')} at {me.get('registry')}; may publish into: {listed or 'nothing'}")
    return 0
