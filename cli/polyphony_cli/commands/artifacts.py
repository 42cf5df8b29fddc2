"""``polyphony artifacts``: what belongs to a run, the bytes of it, what differs, and cleaning up."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console
from polyphony_cli.verbs import VerbGroup

if TYPE_CHECKING:
    from polyphony_runner.runs.addresses import Found

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN_CHARACTERS = 120


@click.group(cls=VerbGroup)
def command() -> None:
    """List, fetch, compare and clean up artifacts.

    An artifact is called by its digest, or by where it stands in a run: RUN:NODE.PORT, RUN:inputs.NAME,
    RUN:outputs.NAME, RUN:journal.jsonl.
    """


@command.command(
    "list", short_help="List what belongs to a run", epilog="Example: polyphony artifacts list r_01jd3q"
)
@click.argument("run")
@click.option(
    "--category",
    type=click.Choice(["inputs", "intermediates", "outputs", "metadata"]),
    help="This category alone.",
)
@click.pass_obj
def list_artifacts(console: Console, run: str, category: str | None) -> int:
    """List the inputs, intermediates, outputs and metadata of RUN, each with its digest."""
    from polyphony_cli.run_verbs import run_folder
    from polyphony_runner.runs.produced import produced_by

    found = [one for one in produced_by(run_folder(console, run)) if category in (None, one.category)]
    if console.as_json:
        console.document({"artifacts": [one.to_json() for one in found]})
        return 0
    for one in found:
        place = ".".join(word for word in (one.node, one.port) if word)
        told = f"{one.category:<13}  {one.size:>10}  {place or '–'}  {one.name}"
        console.line(f"{told}  {one.digest}")
    return 0


@command.command(
    "get",
    short_help="Fetch the bytes of an artifact",
    epilog="Example: polyphony artifacts get r_01jd3q:report.page -o report.html",
)
@click.argument("artifact", metavar="DIGEST")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there (default: stdout).",
)
@click.pass_obj
def get_artifact(console: Console, artifact: str, output: Path | None) -> int:
    """Write the bytes of an artifact to stdout or to FILE; a folder artifact to the folder FILE."""
    found = _find(console, artifact)
    if output is None and not console.as_json:
        with found.open() as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    target = output or Path(found.digest)
    written = found.write(target)
    if console.as_json:
        console.document({"digest": found.digest, "path": str(target), "size": written})
    else:
        console.say(f"wrote {target}")
    return 0


@command.command(
    "diff",
    short_help="Show what differs between two artifacts",
    epilog="Example: polyphony artifacts diff r_01jd3q:lint.findings r_01jd4m:lint.findings",
)
@click.argument("then", metavar="A")
@click.argument("now", metavar="B")
@click.pass_obj
def diff_artifacts(console: Console, then: str, now: str) -> int:
    """Compare A with B: text by line, JSON by place, folders by entry."""
    from polyphony_runner.runs.differences import differences

    one, other = _find(console, then), _find(console, now)
    found = differences(one, other)
    if console.as_json:
        sides = {
            name: {"artifact": side.address, "digest": side.digest}
            for name, side in (("a", one), ("b", other))
        }
        changes = [change.to_json() for change in found.changes]
        console.document(
            {
                **sides,
                "same": found.kind == "same",
                "kind": found.kind,
                "lines": list(found.lines),
                "changes": changes,
            }
        )
        return 0
    if found.kind == "same":
        console.say("they are the same")
    if found.kind == "binary":
        console.line(f"binary or large content differs: {one.digest} and {other.digest}")
    for line in found.lines:
        console.line(line)
    for change in found.changes:
        sides_told = " → ".join(_shown(side) for side in (change.then, change.now) if side is not None)
        console.line(f"{_SIGNS[change.what]} {change.place or '(all)'}  {sides_told}")
    return 0


@command.command(
    "gc", short_help="Remove what nothing refers to", epilog="Example: polyphony artifacts gc --dry-run"
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option(
    "--keep",
    default="1d",
    show_default=True,
    metavar="D",
    help="Keep what is younger, also when nothing refers to it; at least 10m.",
)
@click.option("--cluster", is_flag=True, help="Clean up the store of this machine's cluster, not this home.")
@click.pass_obj
def collect_artifacts(console: Console, *, dry_run: bool, keep: str, cluster: bool) -> int:
    """Remove runs that are over the time of their config.retention, then artifacts that no run or result refers to.

    Tool environments that nobody has used for 30 days go too.
    """
    from polyphony_cli.cluster_verbs import cluster_of
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.artifacts import FolderArtifacts
    from polyphony_runner.runs.collecting import collect
    from polyphony_schemas.scalars import parse_duration

    home, grace = home_of(console), parse_duration(keep)
    if cluster:
        with cluster_of(console) as shared:
            from polyphony_runner.cluster.collecting import collect_shared

            found = collect_shared(shared, grace_ms=grace, dry_run=dry_run)
    else:
        found = collect(home, FolderArtifacts(home.artifacts), grace_ms=grace, dry_run=dry_run)
    if console.as_json:
        console.document(found.to_json())
        return 0
    would = "would remove" if dry_run else "removed"
    console.line(
        f"{would} {len(found.runs)} runs, {found.results} cached results, {found.artifacts} artifacts "
        f"({found.size:,} bytes); {found.kept} artifacts stay"
    )
    if found.environments:
        console.line(f"  {found.environments} tool environments, which are made again when a node wants them")
    for run in found.runs:
        console.line(f"  {run}")
    return 0


def _find(console: Console, address: str) -> Found:
    from polyphony_cli.cluster_verbs import artifacts_of
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.runs.addresses import find

    return find(address, home_of(console).runs, artifacts_of(console))


def _shown(value: object) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
