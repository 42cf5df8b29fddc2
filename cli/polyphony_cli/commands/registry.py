"""``polyphony registry``: bind registries (client verbs) and operate one (server verbs).

The client verbs never import the server; the server verbs say what to install when it is missing.
Each module of the table holds ``COMMANDS``, a mapping from verb to click command.
"""

from __future__ import annotations

import importlib

import click

# verb -> (module, one line of help)
_VERBS: dict[str, tuple[str, str]] = {
    "add": ("registry_client", "Bind namespaces to a registry and its log key"),
    "list": ("registry_client", "List the registries you added"),
    "remove": ("registry_client", "Forget a registry"),
    "init": ("registry_server", "Make a new registry in a data folder"),
    "serve": ("registry_server", "Serve the registry of a data folder"),
    "user": ("registry_server", "Add accounts and print tokens"),
    "check": ("registry_server", "Check database, log, files and repositories against each other"),
    "backup": ("registry_server", "Copy a registry while it runs"),
}


class RegistryGroup(click.Group):
    """Imports a verb's module when the verb is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the table."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of a verb, or None."""
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"polyphony_cli.commands.{_VERBS[cmd_name][0]}")
        found: click.Command = module.COMMANDS[cmd_name]
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help from the table alone: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in _VERBS.items()])


@click.group(cls=RegistryGroup)
def command() -> None:
    """Add registries to this home, or operate one."""
