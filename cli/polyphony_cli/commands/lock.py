"""``polyphony lock``: verify and lock what a package on disk uses."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.client import registries_of, transport_of
from polyphony_cli.console import Console


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--frozen", is_flag=True, help="Change nothing: fail when the lock lacks something.")
@click.pass_obj
def command(console: Console, *, path: Path, frozen: bool) -> int:
    """Make or extend the lock for the melody at PATH (default: here).

    Everything that it uses and no lock names yet is resolved and verified as install does. Development
    overrides (melody.local.yaml) are refused: what they stand for is not what registries publish.
    """
    from polyphony_runner.install.extending import lock_place, lock_uses, uses_of
    from polyphony_runner.package_files import package_root
    from polyphony_runner.runs.overrides import read_overrides, refuse_overridden

    folder = package_root(path)
    refuse_overridden(read_overrides(folder, ()), "lock")
    with transport_of(console) as transport:
        registries = registries_of(console, transport)
        added = lock_uses(registries, transport, folder, uses_of(folder), frozen=frozen, notice=console.say)
        place = lock_place(registries, folder)
    if console.as_json:
        console.document({"installed": [one.to_json() for one in added], "lock": str(place)})
    for one in added:
        console.line(f"{one.name} {one.version}  tree {one.tree[:16]}  record {one.log_index}")
    console.say(f"{len(added)} added to {place}" if added else "the lock names everything")
    return 0
