"""``polyphony validate``: every problem of a package at once, each with its place and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_schemas.problems import Problem

_COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command()
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PATH…")
@click.pass_obj
def command(console: Console, *, paths: tuple[Path, ...]) -> int:
    """Check melodies and extensions (folders or files) and report every problem at once.

    Never touches the network: packages come from melody.local.yaml or from lock and store. Where one is not here,
    its ports are not checked, and one line says so.
    """
    from polyphony_cli.client import home_of
    from polyphony_cli.validation import validate_path

    problems = [problem for path in paths for problem in validate_path(path, home_of(console))]
    ok = not any(problem.severity == "error" for problem in problems)
    if console.as_json:
        console.document({"ok": ok, "problems": [problem.to_json() for problem in problems]})
    else:
        for problem in problems:
            _print(console, problem)
        console.line(_summary(problems, len(paths)))
    return 0 if ok else 1


def _print(console: Console, problem: Problem) -> None:
    label = f"{problem.severity}[{problem.code}]"
    if console.color:
        label = click.style(label, fg=_COLORS[problem.severity], bold=True)
    console.line(f"{problem.file}:{problem.line}:{problem.column}: {label} {problem.message}")
    if problem.hint:
        console.line(f"    hint: {problem.hint}")


def _summary(problems: list[Problem], documents: int) -> str:
    counts = {severity: sum(p.severity == severity for p in problems) for severity in ("error", "warning")}
    said = ", ".join(_count(number, name) for name, number in counts.items() if number)
    checked = _count(documents, "package")
    return f"{checked} checked: {said}" if said else f"{checked} checked: all good"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
