"""``polyphony info``: what the log says about a package."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import home_of, lock_of, packages_of, registries_of, suggesting, transport_of
from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.describing import Description
    from polyphony_schemas.permissions.whole import Whole


@click.command()
@click.argument("name", metavar="NAME[@V]")
@click.pass_obj
def command(console: Console, *, name: str) -> int:
    """Show a package: its versions, who signed them, what they may do.

    Everything shown is the verified history in the registry's log, not the registry's opinion.
    """
    from polyphony_runner.describing import describe_package
    from polyphony_runner.install.consent import declared
    from polyphony_runner.install.resolve import Policy, Resolver
    from polyphony_schemas.permissions.words import describe

    with transport_of(console) as transport:
        registries = registries_of(console, transport)
        resolver = Resolver(registries, transport, int(time.time()), Policy())
        with suggesting(registries, transport):
            found = describe_package(resolver, packages_of([name])[0])
    whole = _installed(console, found)
    if console.as_json:
        console.document({**found.to_json(), "effective": None if whole is None else whole.to_json()})
        return 0
    console.line(f"{found.name}  ({found.registry})")
    for one in found.versions:
        day = datetime.fromtimestamp(int(str(one["at"])), UTC).date().isoformat()
        console.line(
            f"  {one['version']}  {day}  {one['kind']}" + (f"  {one['against']}" if one["against"] else "")
        )
    newest = found.versions[0]
    document = newest["permissions_document"]
    console.line(f"{newest['version']} may:")
    for line in describe(declared(document if isinstance(document, dict) else {})):
        console.line(f"  - {line}")
    if whole is not None:
        console.line("  as it is installed here, its nodes get, with everything it uses:")
        for line in describe(whole.grants):
            console.line(f"  - {line}")
    console.line(f"  permissions {newest['permissions']}")
    console.line(f"  signed by {newest['signer']}, record {newest['log_index']}, tree {newest['tree']}")
    return 0


def _installed(console: Console, found: Description) -> Whole | None:
    """What the newest version that is shown may do with everything it uses, where all of it is installed here."""
    from polyphony_runner.install.offers import whole_in_lock
    from polyphony_runner.store import FolderStore

    lock, key = lock_of(console, Path.cwd()), f"{found.name}@{found.versions[0]['version']}"
    if key not in lock.packages or found.versions[0]["kind"] != "melody":
        return None
    return whole_in_lock(lock, FolderStore(home_of(console).store), key)
