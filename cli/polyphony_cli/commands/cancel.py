"""``polyphony cancel``: end a run, or one node of it, in whatever process it is."""

from __future__ import annotations

import click

from polyphony_cli.console import Console

# How long to wait for the other process; ending sandboxes takes it well under a second.
_PATIENCE_SECONDS = 60.0


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@click.option("--no-undo", is_flag=True, help="Leave completed nodes as they are.")
@click.pass_obj
def command(console: Console, run: str, node: str | None, no_undo: bool) -> int:
    """Cancel RUN, or only NODE: a path such as fix[3]/lint; a scope or item takes all inside along.

    With the whole run, completed nodes that name an undo are taken back, the last one first.
    """
    from polyphony_cli.run_verbs import home_of, run_folder, sandboxed
    from polyphony_runner.conductor.conductor import CancelRequest
    from polyphony_runner.runs.cancel import cancel_run
    from polyphony_runner.runs.report import run_document

    folder = run_folder(console, run)
    home = home_of(console)
    request = CancelRequest(node, undo=not no_undo)
    state = cancel_run(folder, home, request, patience=_PATIENCE_SECONDS, runtime=sandboxed(home))
    if console.as_json:
        console.document(run_document(folder.run, state))
    else:
        console.line(f"■ {node or folder.run}  cancelled")
    return 0
