"""``polyphony explain``: why a node was executed, or its result found."""

from __future__ import annotations

import click

from polyphony_cli.console import Console


@click.command()
@click.argument("run")
@click.argument("node")
@click.pass_obj
def command(console: Console, run: str, node: str) -> int:
    """Say whether the result of NODE was found in the cache, and if not, what differed from before.

    NODE is a path such as fix[3]/lint. Only pure extensions are looked up (docs/cache.md).
    """
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_runner.cache.explain import explain, shown
    from polyphony_runner.runs.session import load_state
    from polyphony_schemas.journal import format_time

    folder = run_folder(console, run)
    home = home_of(console)
    found = explain(folder, load_state(folder, home), node, home)
    if console.as_json:
        console.document({"run": folder.run, **found.to_json()})
        return 0
    console.line(f"{node}  {found.outcome}: {found.reason}")
    if found.key is not None:
        console.line(f"  key {found.key}")
    if found.source is not None:
        word = "computed" if found.outcome == "hit" else "asked for before"
        at = found.source.get("at")
        when = f", {format_time(at)}" if isinstance(at, int) else ""
        console.line(f"  {word} by {found.source.get('node')} of {found.source.get('run')}{when}")
    for one in found.differences:
        console.line(f"  {one.part}: {shown(one.now)}, then {shown(one.then)}")
    return 0
