"""``polyphony uninstall``: take packages out of the lock."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.client import home_of, packages_of
from polyphony_cli.console import Console


@click.command()
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@click.option(
    "--global", "everywhere", is_flag=True, help="From the lock of the home, not of this git work tree."
)
@click.pass_obj
def command(console: Console, *, names: tuple[str, ...], everywhere: bool) -> int:
    """Take packages out of the lock, with everything that only they used.

    The store keeps the files: other locks may name them.
    """
    from polyphony_runner.install.installing import uninstall
    from polyphony_runner.locking import install_place

    home = home_of(console)
    path = install_place(home, Path.cwd(), everywhere=everywhere)
    gone = uninstall(home, path, [one.full_name for one in packages_of(names)])
    if console.as_json:
        console.document({"uninstalled": gone, "lock": str(path)})
    for key in gone:
        console.line(key)
    return 0
