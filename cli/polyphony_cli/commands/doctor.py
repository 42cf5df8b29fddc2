"""``polyphony doctor``: the sandbox level of this machine, what is missing, the fix."""

from __future__ import annotations

import click

from polyphony_cli.console import Console


@click.command
@click.pass_obj
def command(console: Console) -> int:
    """Say what this machine can isolate, and what to mend.

    Runs a program in the real sandbox, which checks from inside that it cannot get out. Status 1 when nodes would be
    refused.
    """
    from polyphony_runner.home import Home
    from polyphony_runner.sandbox.doctor import diagnose

    diagnosis = diagnose(Home.at(console.home).root)
    if console.as_json:
        console.document(diagnosis.to_json())
    for line in diagnosis.lines():
        console.line(line)
    if console.verbose and diagnosis.report.said:
        console.say(diagnosis.report.said.rstrip())
    return 0 if diagnosis.report.level else 1
