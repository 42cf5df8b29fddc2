"""``polyphony completion``: the lines that teach a shell to complete verbs and flags."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_VARIABLE = "_POLYPHONY_COMPLETE"
_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def command(shell: str) -> int:
    """Print what SHELL needs to complete verbs and flags.

    \b
    bash, in ~/.bashrc:   eval "$(polyphony completion bash)"
    zsh, in ~/.zshrc:     eval "$(polyphony completion zsh)"
    fish, in config.fish: polyphony completion fish | source
    """
    from polyphony_cli.app import cli

    # The base class: bash's own would start bash to ask for its version.
    click.echo(ShellComplete.source(_SHELLS[shell](cli, {}, "polyphony", _VARIABLE)))
    return 0
