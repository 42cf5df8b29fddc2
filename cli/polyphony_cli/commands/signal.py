"""``polyphony signal``: send a signal to a run, or to every unfinished run of a melody."""

from __future__ import annotations

import click

from polyphony_cli.console import Console
from polyphony_schemas.values import JsonValue

# How long to wait for the process that executes the run; it looks ten times a second.
_PATIENCE_SECONDS = 30.0


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[RUN] NAME")
@click.option("--payload", metavar="JSON", help="What the signal brings.")
@click.option("--transient", is_flag=True, help="Drop it when nobody waits for it now.")
@click.option("--melody", metavar="OWNER/NAME", help="Every unfinished run of this melody, in place of RUN.")
@click.pass_obj
def command(
    console: Console, words: tuple[str, ...], payload: str | None, transient: bool, melody: str | None
) -> int:
    """Send the signal NAME to RUN. NAME may be a for_each: its payload is then {"item": …} or {"complete": true}."""
    from uuid import uuid4

    from polyphony_cli.addressing import addressed, person, tell
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.conductor.requests import SignalRequest
    from polyphony_runner.runs.outside import send_signal

    folders, name = addressed(console, words, melody, "NAME")
    signal = SignalRequest(
        str(uuid4()), name, _json(payload), not transient, {"by": person(home_of(console)).name}
    )
    return tell(
        console,
        melody,
        folders,
        lambda folder: send_signal(folder, home_of(console), signal, patience=_PATIENCE_SECONDS),
    )


def _json(text: str | None) -> JsonValue:
    import json

    from polyphony_schemas.errors import UsageError

    try:
        value: JsonValue = None if text is None else json.loads(text)
        return value
    except ValueError as error:
        raise UsageError(
            "PLY7007", f"--payload is no JSON: {error}", hint="quote a text twice: --payload '\"text\"'"
        ) from None
