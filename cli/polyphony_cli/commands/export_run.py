"""``polyphony export-run``: a run in one file, to be checked anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.console import Console


@click.command()
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write it; a name that ends in .zip.",
)
@click.option(
    "--with-artifacts", is_flag=True, help="Put files, folders and logs into it, not their digests alone."
)
@click.pass_obj
def command(console: Console, *, run: str, output: Path, with_artifacts: bool) -> int:
    """Write the bundle of RUN: journal, graph, lock, signed head, signed provenance, digests of everything.

    The file is a Workflow Run RO-Crate too. polyphony verify FILE checks it, without this home and without a network.
    """
    from polyphony_cli.cluster_verbs import artifacts_of
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_runner.bundles.writing import export_run

    home = home_of(console)
    done = export_run(
        run_folder(console, run),
        home,
        artifacts_of(console),
        output,
        with_artifacts=with_artifacts,
    )
    if console.as_json:
        console.document(done.to_json())
        return 0
    console.say(f"wrote {output}: {done.size:,} bytes, {done.artifacts} artifacts")
    if done.named:
        console.say(
            f"{done.named} artifacts are named by their digests alone; --with-artifacts takes them along"
        )
    if not done.signed:
        console.say("note: the run has no signed head yet, so nothing proves where its journal comes from")
    console.hint(f"polyphony verify {output}")
    return 0
