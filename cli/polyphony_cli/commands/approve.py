"""``polyphony approve``: answer what a ``core/approve`` asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.runs.folder import RunFolder

# How long to wait for the process that executes the run; it looks ten times a second.
_PATIENCE_SECONDS = 30.0


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[RUN] NODE")
@click.option("--reject", is_flag=True, help="Say no.")
@click.option("--comment", metavar="TEXT", help="Why; the node gives it on.")
@click.option("--melody", metavar="OWNER/NAME", help="Every unfinished run of this melody, in place of RUN.")
@click.pass_obj
def command(
    console: Console, words: tuple[str, ...], reject: bool, comment: str | None, melody: str | None
) -> int:
    """Approve what NODE of RUN asks (a path such as region/ask), or reject it."""
    from polyphony_cli.addressing import addressed, person, tell
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.conductor.requests import ApproveRequest
    from polyphony_runner.runs.outside import decide

    folders, node = addressed(console, words, melody, "NODE")
    home = home_of(console)
    who = person(home)
    request = ApproveRequest(node, not reject, who.name, comment)

    def answer(folder: RunFolder) -> bool:
        decide(folder, home, request, who, patience=_PATIENCE_SECONDS)
        return True

    return tell(console, melody, folders, answer)
