"""A group of verbs as a literal table: a verb's module is imported when the verb is called, not before.

The module holds a click command called ``command``, or ``COMMANDS``, a mapping from verb to command.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Verb(NamedTuple):
    """Where a verb is, one line of help, and one call that shows how it is used."""

    module: str
    help: str
    example: str


class VerbGroup(click.Group):
    """A group whose unknown verbs come with the nearest known one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown verb comes with the nearest known one."""
        known = self.list_commands(ctx)
        if args[0] not in known and not ctx.resilient_parsing and not args[0].startswith("-"):
            from polyphony_schemas.errors import UsageError
            from polyphony_schemas.names import did_you_mean

            raise UsageError(
                "PLY7001",
                f"there is no verb {args[0]!r}",
                hint=did_you_mean(args[0], known) or f"{ctx.command_path} --help lists the verbs",
            )
        return super().resolve_command(ctx, args)


class LazyGroup(VerbGroup):
    """Help, completion and the nearest verb come from the table alone."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of a verb, or None."""
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        module = importlib.import_module(f"polyphony_cli.commands.{verb.module}")
        found: click.Command = module.COMMANDS[cmd_name] if hasattr(module, "COMMANDS") else module.command
        found.epilog = f"Example: {verb.example}"
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Verbs with their line of help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs that begin so, or flags."""
        from click.shell_completion import CompletionItem

        verbs = [
            CompletionItem(name, help=verb.help)
            for name, verb in self.verbs.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)
