"""``polyphony logs``: what the nodes of a run wrote, as JSON lines."""

from __future__ import annotations

import click

from polyphony_cli.console import Console, json_text


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@click.pass_obj
def command(console: Console, run: str, node: str | None, follow: bool) -> int:
    """Print log lines of RUN, or of one NODE and what is inside it."""
    from polyphony_cli.run_verbs import require_node, run_folder
    from polyphony_runner.runs.log_reader import follow_logs, read_logs

    folder = run_folder(console, run)
    if node is not None:
        require_node(folder, node)
    more = None
    if folder.of_cluster:
        from polyphony_cli.cluster_verbs import goes_on

        more = goes_on(console, folder)
    for entry in follow_logs(folder, node, more) if follow else read_logs(folder, node):
        click.echo(json_text(entry))
    return 0
