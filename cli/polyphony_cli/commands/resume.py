"""``polyphony resume``: go on with a run that was halted, interrupted or killed."""

from __future__ import annotations

import click

from polyphony_cli.console import Console


@click.command()
@click.argument("run")
@click.option(
    "--accept-permissions",
    metavar="DIGEST",
    help="What was agreed to when the run began stands; taken so that one call fits every verb.",
)
@click.pass_obj
def command(console: Console, run: str, accept_permissions: str | None) -> int:
    """Continue a run. Completed nodes are not executed again; what was in flight gets another attempt."""
    del accept_permissions
    from polyphony_cli.run_verbs import execute, home_of, run_folder
    from polyphony_runner.runs.control import clear
    from polyphony_runner.runs.session import take_up

    folder = run_folder(console, run)
    session = take_up(folder, home_of(console))
    clear(folder)
    console.say(f"run {folder.run}")
    return execute(console, session)
