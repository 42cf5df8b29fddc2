"""Write docs/commands.md from the command line itself. ``--check`` only says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from generated_files import write_or_check
from polyphony_cli.app import VERBS, cli

TARGET = Path(__file__).parent.parent / "docs" / "commands.md"
HEAD = """# Commands

Made from `--help` by `tools/generate_commands.py`. Global flags may stand anywhere before `--`. Exit status: 0 done · 1 the
expected "no" · 2 usage · 3 a bug of ours · 130 interrupted.
"""


def section(command: click.Command, name: str, parent: click.Context, level: int) -> list[str]:
    """The help of one command and, for a group, of its sub-commands."""
    context = click.Context(command, info_name=name, parent=parent)
    help_text = command.get_help(context).rstrip()
    parts = [f"{'#' * level} {context.command_path}", f"```\n{help_text}\n```"]
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            child = command.get_command(context, verb)
            if child is not None:
                parts += section(child, verb, context, level + 1)
    return parts


def document() -> str:
    """The whole page."""
    settings = {**cli.context_settings, "terminal_width": 100, "max_content_width": 100}
    context = click.Context(cli, info_name="polyphony", **settings)
    parts = [HEAD.rstrip(), "```\n" + cli.get_help(context).rstrip() + "\n```"]
    for verb in VERBS:
        command = cli.get_command(context, verb)
        if command is not None:
            parts += section(command, verb, context, 2)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check({TARGET: document()}))
