"""``polyphony resume``: go on with a run that was halted, interrupted or killed."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.console import Console
from polyphony_cli.observing import metrics_option


@click.command()
@click.argument("run")
@click.option(
    "--accept-permissions",
    metavar="DIGEST",
    help="Not needed: what was agreed to when the run began stands.",
)
@metrics_option
@click.pass_obj
def command(console: Console, run: str, accept_permissions: str | None, metrics: Path | None) -> int:
    """Continue RUN. Completed nodes are not executed again; what was in flight gets another attempt.

    Packages from the store are hashed again first.
    """
    del accept_permissions
    from polyphony_cli.run_verbs import execute, home_of, run_folder
    from polyphony_runner.runs.control import clear
    from polyphony_runner.runs.resuming import resume

    folder = run_folder(console, run)
    if folder.of_cluster:
        from polyphony_cli.cluster_verbs import resume_in_cluster

        console.say(f"run {folder.run}")
        return resume_in_cluster(console, folder)
    session = resume(folder, home_of(console))
    clear(folder)
    console.say(f"run {folder.run}")
    return execute(console, session, metrics)
