"""``polyphony journal``: the events of a run as JSON lines, or whether the journal holds."""

from __future__ import annotations

import sys

import click

from polyphony_cli.console import Console


@click.command()
@click.argument("run")
@click.option("--verify", is_flag=True, help="Check chain, numbers, order and the signed head.")
@click.pass_obj
def command(console: Console, run: str, verify: bool) -> int:
    """Print the journal of RUN exactly as it is written."""
    from polyphony_cli.run_verbs import home_of, run_folder

    folder = run_folder(console, run)
    if not verify:
        if not folder.journal.is_file():
            raise folder.unreadable("there is no journal.jsonl")
        with folder.journal.open("rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    sys.stdout.write(line.decode())
        return 0
    from polyphony_runner.runs.verify import verify_run

    found = verify_run(folder, home_of(console))
    if console.as_json:
        console.document(found.to_json())
    else:
        sign = "✓" if found.ok else "✗"
        console.line(f"{sign} {folder.run}  {found.events} events, {found.status}")
        for problem in found.problems:
            console.line(f"  {problem}")
        console.line(f"  {found.origin}")
    return 0 if found.ok else 1
