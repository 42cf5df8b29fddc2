"""``polyphony runs``: every run of this home, the newest first."""

from __future__ import annotations

import click

from polyphony_cli.console import Console


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most this many; 0 for all.",
)
@click.pass_obj
def command(console: Console, limit: int) -> int:
    """List the runs of this home, the newest first."""
    from polyphony_cli.cluster_verbs import names_cluster
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.runs.listing import list_runs
    from polyphony_runner.runs.signs import sign_of

    listed = list_runs(home_of(console), limit or None)
    if names_cluster(console):
        from polyphony_cli.cluster_verbs import listed_in_cluster

        found = {one.run: one for one in (*listed, *listed_in_cluster(console, limit or None))}
        listed = [found[run] for run in sorted(found, reverse=True)][: limit or None]
    if console.as_json:
        console.document({"runs": [one.to_json() for one in listed]})
        return 0
    for one in listed:
        mark = "  local" if one.local else ""
        seconds = "" if one.seconds is None else f"{one.seconds:.1f} s"
        console.line(
            f"{sign_of(one.status)} {one.run}  {one.status:<10}  {seconds:>8}  {one.started}  {one.name}{mark}"
        )
    for one in listed:
        if one.problem is not None:
            console.say(one.problem)
    if any(one.problem for one in listed):
        console.hint(
            "restore the folder of an unreadable run from a copy, or remove it: it is in runs/ of the home"
        )
    if not listed:
        console.say("no runs yet")
        console.hint("polyphony run PATH")
    return 0
