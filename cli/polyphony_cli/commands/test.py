"""``polyphony test``: the cases that travel with a package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.runs.cases import CaseResult


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option(
    "--override", "overrides", multiple=True, metavar="NAME=PATH", help="Use a folder in place of a package."
)
@click.option("--accept-permissions", metavar="DIGEST", help="Agree to the permissions with this digest.")
@click.option("--frozen", is_flag=True, help="Leave the lock as it is: fail when it lacks something.")
@click.pass_obj
def command(
    console: Console, *, path: Path, overrides: tuple[str, ...], accept_permissions: str | None, frozen: bool
) -> int:
    """Run the cases in tests/ of the package at PATH (default: here), each in a home of its own.

    Pinned nodes give the outputs of the case, all others are executed as always, on a copy of the case's work folder.
    """
    from polyphony_cli.case_runs import case_runner

    runner = case_runner(
        console, path, overrides=overrides, accept_permissions=accept_permissions, frozen=frozen
    )
    results = []
    for result in runner.run_all():
        results.append(result)
        _say(console, result)
    good = all(result.ok for result in results)
    if console.as_json:
        console.document({"ok": good, "cases": [result.to_json() for result in results]})
    else:
        console.line(_summary(results))
    return 0 if good else 1


def _say(console: Console, result: CaseResult) -> None:
    from polyphony_cli.run_lines import first_line

    console.say(f"{'✓' if result.ok else '✗'} {result.file}  {result.name}  {result.seconds} s")
    for one in result.mismatches:
        console.say(f"    {one.what}: expected {one.expected!r}, got {one.got!r}")
    if not result.ok and result.error is not None:
        console.say(f"    {result.error['kind']}: {first_line(str(result.error['message']))}")


def _summary(results: Sequence[CaseResult]) -> str:
    if not results:
        return "no cases: there is no tests/*.yaml"
    red = sum(not result.ok for result in results)
    cases = "1 case" if len(results) == 1 else f"{len(results)} cases"
    return f"{cases}, {red} not as expected" if red else f"{cases}, all as expected"
