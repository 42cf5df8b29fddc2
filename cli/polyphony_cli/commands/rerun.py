"""``polyphony rerun``: a new run from a point of an earlier one."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.console import Console
from polyphony_cli.observing import metrics_option


@click.command()
@click.argument("run")
@click.option("--from", "start", metavar="NODE", help="Do NODE again, and everything that depends on it.")
@click.option("--at", type=int, metavar="SEQ", help="Keep the events before this number of the journal.")
@click.option(
    "--set",
    "edits",
    multiple=True,
    metavar="NODE.PORT=VALUE",
    help="Another output of a node, or inputs.NAME=VALUE; what depends on it is done again.",
)
@metrics_option
@click.pass_obj
def command(
    console: Console,
    *,
    run: str,
    start: str | None,
    at: int | None,
    edits: tuple[str, ...],
    metrics: Path | None,
) -> int:
    """Make a new run that takes over what RUN did before a point, and go on from there. RUN stays as it is.

    What failed or was cancelled is done again too, except with --at. Without any option everything is. Files that
    nodes wrote are not put back.
    """
    from polyphony_cli.run_verbs import execute, home_of, run_folder
    from polyphony_runner.runs.edits import read_edits
    from polyphony_runner.runs.rerun import RerunRequest, rerun

    request = RerunRequest(start, at, read_edits(edits))
    session = rerun(run_folder(console, run), request, home_of(console))
    console.say(f"run {session.folder.run}")
    return execute(console, session, metrics)
