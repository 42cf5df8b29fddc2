"""``polyphony audit``: what the log says today about what is locked."""

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
    """Ask the log about every locked package: quarantined, yanked, changed, signer revoked.

    The status is 1 when something was found.
    """
    from polyphony_runner.auditing import audit
    from polyphony_runner.install.resolve import Policy, Resolver

    lock = lock_of(console, Path.cwd(), everywhere=everywhere)
    with transport_of(console) as transport:
        resolver = Resolver(registries_of(console, transport), transport, int(time.time()), Policy())
        found = audit(lock, resolver)
    if console.as_json:
        document = {"ok": not found, "packages": len(lock.packages), "findings": [f.to_json() for f in found]}
        console.document(document)
    for one in found:
        console.line(f"{one.package}  {one.kind}: {one.detail}")
    if not found:
        console.say(f"nothing speaks against the {len(lock.packages)} locked packages")
    return 1 if found else 0
