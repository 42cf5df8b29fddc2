"""``polyphony outdated``: which locked packages have newer versions."""

from __future__ import annotations

import time
from pathlib import Path

import click

from polyphony_cli.client import lock_of, registries_of, transport_of
from polyphony_cli.console import Console


@click.command()
@click.option("--global", "everywhere", is_flag=True, help="The lock of the home, not of this git work tree.")
@click.pass_obj
def command(console: Console, *, everywhere: bool) -> int:
    """List what the lock names and of which a newer version may be chosen."""
    from polyphony_runner.auditing import outdated
    from polyphony_runner.install.resolve import Policy, Resolver

    lock = lock_of(console, Path.cwd(), everywhere=everywhere)
    with transport_of(console) as transport:
        resolver = Resolver(registries_of(console, transport), transport, int(time.time()), Policy())
        found = outdated(lock, resolver)
    if console.as_json:
        console.document({"outdated": [one.to_json() for one in found]})
    for one in found:
        console.line(f"{one.name}  {one.locked} -> {one.wanted} ({one.range}), newest {one.newest}")
    if not found:
        console.say("everything is as new as may be")
    return 0
