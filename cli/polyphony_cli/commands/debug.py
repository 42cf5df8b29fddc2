"""``polyphony debug``: stop before nodes, look, set values, go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.runs.session import Session


@click.command()
@click.argument("target", metavar="RUN_OR_PATH")
@click.option("--break", "breaks", multiple=True, metavar="NODE", help="Stop before NODE.")
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Commands, one a line, instead of a prompt.",
)
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of a new run.")
@click.option(
    "--work", type=click.Path(path_type=Path), metavar="DIR", help="What relative paths are relative to."
)
@click.option("--accept-permissions", metavar="DIGEST", help="Agree to the permissions with this digest.")
@click.option("--no-cache", is_flag=True, help="Execute pure nodes anew, and keep no results.")
@click.pass_obj
def command(
    console: Console,
    *,
    target: str,
    breaks: tuple[str, ...],
    script: Path | None,
    inputs: tuple[str, ...],
    work: Path | None,
    accept_permissions: str | None,
    no_cache: bool,
) -> int:
    """Lead a run by hand: a new one of a melody (a path or a name), or one that is halted.

    Commands come from the terminal, from --script, or from a pipe; help lists them. With --break the run first goes on
    to there. What is set and where it stops is in the journal; after quit, polyphony resume goes on.
    """
    from polyphony_cli.debug_prompt import Prompt, lead
    from polyphony_cli.run_verbs import home_of, sandboxed
    from polyphony_cli.run_view import view_for
    from polyphony_runner.runs.debugging import Debugger
    from polyphony_runner.runs.report import run_document

    home = home_of(console)
    if target.startswith("r_"):
        session = _taken_up(console, target)
    else:
        session = _begun(console, target, inputs, work, accept_permissions, cache=not no_cache)
    console.say(f"run {session.folder.run}")
    view = view_for(console, tty=False)
    debugger = Debugger(session, home, sandboxed(home), view, _leave_at_once)
    prompt = Prompt(console, debugger)
    try:
        for node in breaks:
            debugger.stop_at(node)
        if breaks:
            prompt.carry_out("continue")
        lead(console, prompt, script)
    finally:
        debugger.session.journal.close()
    state, folder = debugger.state, debugger.session.folder
    if console.as_json:
        stops = [stop.to_json() for stop in debugger.stops]
        console.document({**run_document(folder.run, state), "stops": stops, "shown": prompt.shown})
    if not state.finished:
        console.hint(f"polyphony debug {folder.run} or polyphony resume {folder.run} goes on")
    return 1 if state.status in ("failed", "cancelled") else 0


def _taken_up(console: Console, run: str) -> Session:
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_runner.runs.control import clear
    from polyphony_runner.runs.resuming import resume

    folder = run_folder(console, run)
    session = resume(folder, home_of(console))
    clear(folder)
    return session


def _begun(
    console: Console,
    melody: str,
    inputs: tuple[str, ...],
    work: Path | None,
    accept_permissions: str | None,
    *,
    cache: bool,
) -> Session:
    from polyphony_cli.run_verbs import ask_consent, fetch_missing, home_of
    from polyphony_runner.runs.assemble import RunRequest, assemble
    from polyphony_runner.runs.installed import locate
    from polyphony_runner.runs.session import begin

    home = home_of(console)
    place = locate(melody, home)
    request = RunRequest(
        melody=place.path,
        inputs=inputs,
        work=work,
        accept_permissions=accept_permissions,
        ask=ask_consent(console),
        tree=place.tree,
        fetch=fetch_missing(console, frozen=False),
        ready=place.ready,
        cache=cache,
    )
    return begin(assemble(request, home, place.packages), home)


def _leave_at_once() -> None:
    sys.stderr.flush()
    os._exit(130)
