"""``polyphony run``: put a melody together and run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console
from polyphony_cli.observing import metrics_option

if TYPE_CHECKING:
    from polyphony_runner.runs.assemble import AssembledRun
    from polyphony_runner.runs.session import Session


@click.command()
@click.argument("melody", metavar="REF_OR_PATH")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input; NAME=@FILE reads a file. Repeatable.",
)
@click.option(
    "--inputs",
    "inputs_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Inputs as a JSON object; --input wins over it.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What relative paths are relative to (default: here).",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "cluster"]),
    default="local",
    show_default=True,
    help="Where nodes run: here, or on the workers of this machine's cluster.",
)
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="NAME=PATH",
    help="Use a folder in place of a package. Repeatable.",
)
@click.option("--accept-permissions", metavar="DIGEST", help="Agree to the permissions with this digest.")
@click.option("--frozen", is_flag=True, help="Leave the lock as it is: fail when it lacks something.")
@click.option("--no-cache", is_flag=True, help="Execute pure nodes anew, and keep no results.")
@click.option(
    "--detach",
    is_flag=True,
    help="Only begin it: a process of its own goes on, or the workers of the cluster.",
)
@click.option(
    "--unsafe-no-sandbox", is_flag=True, help="Run nodes without isolation. Recorded in the journal."
)
@metrics_option
@click.pass_obj
def command(
    console: Console,
    *,
    melody: str,
    inputs: tuple[str, ...],
    inputs_file: Path | None,
    work: Path | None,
    executor: str,
    overrides: tuple[str, ...],
    accept_permissions: str | None,
    frozen: bool,
    no_cache: bool,
    detach: bool,
    unsafe_no_sandbox: bool,
    metrics: Path | None,
) -> int:
    """Run a melody: a folder, its melody.yaml, or the name of an installed package.

    A word that begins with . / or ~, or ends in .yaml .yml .json, is a path; anything else is a name. A folder that
    asks for more than reading itself has to be agreed to first.
    """
    from polyphony_cli.run_verbs import ask_consent, fetch_missing, home_of
    from polyphony_runner.runs.assemble import RunRequest, assemble
    from polyphony_runner.runs.installed import locate
    from polyphony_runner.runs.session import begin

    if executor == "cluster":
        from polyphony_cli.cluster_verbs import run_in_cluster, settings_of

        settings_of(console)
    home = home_of(console)
    place = locate(melody, home)
    request = RunRequest(
        melody=place.path,
        inputs=inputs,
        inputs_file=inputs_file,
        work=work,
        overrides=overrides,
        accept_permissions=accept_permissions,
        unsafe_no_sandbox=unsafe_no_sandbox,
        ask=ask_consent(console),
        tree=place.tree,
        frozen=frozen,
        fetch=fetch_missing(console, frozen=frozen),
        ready=place.ready,
        cache=not no_cache,
        package=place.package,
        elsewhere=executor == "cluster",
    )
    assembled = assemble(request, home, place.packages)
    announce = partial(_announce, console, assembled, unsafe_no_sandbox=unsafe_no_sandbox)
    if executor == "cluster":
        return run_in_cluster(console, assembled, announce, detach=detach)
    return _run_here(console, begin(assembled, home), announce, detach=detach, metrics=metrics)


def _run_here(
    console: Console, session: Session, announce: Callable[[], None], *, detach: bool, metrics: Path | None
) -> int:
    """Go on in this process, or in one of its own."""
    from polyphony_cli.run_verbs import execute

    announce()
    if detach:
        from polyphony_cli.detaching import hand_over

        session.journal.close()
        return hand_over(console, session.folder, metrics)
    return execute(console, session, metrics)


def _announce(console: Console, assembled: AssembledRun, *, unsafe_no_sandbox: bool) -> None:
    """What the person should know before the first node starts."""
    from polyphony_runner.runs.features import not_acted_on
    from polyphony_runner.sandbox.preflight import kept_level

    console.say(f"run {assembled.folder.run}")
    if unused := not_acted_on(assembled.melody):
        console.say(f"note: this version does nothing yet with config.{', config.'.join(unused)}")
    if (level := kept_level()) in ("landlock", "wasm"):
        console.say(
            f"note: nodes are isolated at level {level}; polyphony doctor says what is missing for more"
        )
    if unsafe_no_sandbox:
        console.say("warning: nodes run without isolation, as the flag says; the journal records it")
