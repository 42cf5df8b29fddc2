"""``polyphony artifacts``: what a run produced, and the bytes of one artifact."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from polyphony_cli.console import Console
from polyphony_cli.verbs import VerbGroup


@click.group(cls=VerbGroup)
def command() -> None:
    """List and fetch artifacts."""


@command.command(
    "list", short_help="List what a run produced", epilog="Example: polyphony artifacts list r_01jd3q"
)
@click.argument("run")
@click.pass_obj
def list_artifacts(console: Console, run: str) -> int:
    """List the files and folders that the nodes of RUN produced."""
    from polyphony_cli.run_verbs import run_folder
    from polyphony_runner.runs.produced import produced_by

    found = produced_by(run_folder(console, run))
    if console.as_json:
        console.document({"artifacts": [one.to_json() for one in found]})
        return 0
    for one in found:
        console.line(f"{one.digest}  {one.size:>10}  {one.node}  {one.name}")
    return 0


@command.command(
    "get",
    short_help="Fetch the bytes of an artifact",
    epilog="Example: polyphony artifacts get DIGEST -o report.html",
)
@click.argument("digest")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there (default: stdout).",
)
@click.pass_obj
def get_artifact(console: Console, digest: str, output: Path | None) -> int:
    """Write the bytes of an artifact to stdout or to FILE; a folder artifact to the folder FILE."""
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.artifacts import FolderArtifacts
    from polyphony_runner.artifacts.export import export

    store = FolderArtifacts(home_of(console).artifacts)
    if output is None and not console.as_json:
        sys.stdout.buffer.write(store.read(digest))
        sys.stdout.buffer.flush()
        return 0
    target = output or Path(digest)
    written = export(store, digest, target)
    if console.as_json:
        console.document({"digest": digest, "path": str(target), "size": written})
    else:
        console.say(f"wrote {target}")
    return 0
