"""The command group: a literal table from verb to module, so that ``--help`` imports nothing heavy."""

from __future__ import annotations

import importlib
import itertools
import os
from typing import Any

import click

from polyphony_cli.console import Console, report_bug, report_error
from polyphony_schemas.errors import PolyphonyError

# verb -> (module with a click command named ``command``, one line of help)
VERBS: dict[str, tuple[str, str]] = {
    "new": ("new", "Make a melody or an extension from a template"),
    "validate": ("validate", "Check documents and report every problem at once"),
    "export": ("export", "Print a package as YAML or JSON"),
    "run": ("run", "Run a melody"),
    "resume": ("resume", "Continue a run that was interrupted or halted"),
    "cancel": ("cancel", "Cancel a run"),
    "runs": ("runs", "List runs"),
    "show": ("show", "Show one run"),
    "logs": ("logs", "Print what the nodes of a run wrote"),
    "journal": ("journal", "Print or verify the journal of a run"),
    "artifacts": ("artifacts", "List and fetch what a run produced"),
    "search": ("search", "Search the registries"),
    "info": ("info", "Show a package"),
    "install": ("install", "Fetch, verify and lock packages"),
    "uninstall": ("uninstall", "Remove packages from the lock"),
    "update": ("update", "Take the newest versions that the lock allows"),
    "outdated": ("outdated", "List locked packages that have newer versions"),
    "lock": ("lock", "Lock what a package on disk uses"),
    "audit": ("audit", "Ask the log about everything that is locked"),
    "verify": ("verify", "Check signature, log and content of a package"),
    "publish": ("publish", "Sign and publish a package"),
    "login": ("login", "Keep a registry's token"),
    "whoami": ("whoami", "Say who the registry takes you for"),
    "key": ("key", "Make and list signing keys"),
    "registry": ("registry", "Add registries; run one"),
    "sandbox": ("sandbox", "Run a command in a node's sandbox"),
    "doctor": ("doctor", "Say what this machine can isolate, and what to mend"),
    "completion": ("completion", "Print shell completion"),
}


class LazyGroup(click.Group):
    """Imports a verb's module when the verb is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of a verb, or None."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"polyphony_cli.commands.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help from the table alone: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
@click.option("--home", envvar="POLYPHONY_HOME", metavar="DIR", help="Where Polyphony keeps its state.")
@click.option("--registry", envvar="POLYPHONY_REGISTRY", metavar="URL", help="Which registry to ask.")
@click.option("-q", "--quiet", is_flag=True, help="Say less.")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@click.pass_context
def cli(ctx: click.Context, /, **flags: Any) -> None:
    """Signed, sandboxed workflows: find, verify, run."""
    ctx.obj = Console.from_flags(flags, os.environ)


_FLAGS = frozenset({"--json", "--no-color", "--offline", "-q", "--quiet", "-v", "--verbose"})
_VALUED = ("--home", "--registry")


def hoist(argv: list[str]) -> list[str]:
    """Global flags may stand anywhere before ``--``; click wants them first.

    >>> hoist(["run", "x", "--json", "--", "--json"])
    ['--json', 'run', 'x', '--', '--json']
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _VALUED)):
            front.append(word)
        elif word in _VALUED:
            front += [word, *itertools.islice(words, 1)]
        else:
            rest.append(word)
    return front + rest


def run(argv: list[str]) -> int:
    """Run one call and return its exit status: 0 done · 1 no · 2 usage · 3 our bug · 130 interrupted."""
    argv = hoist(argv)
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", argv)
    try:
        status = cli.main(args=argv, prog_name="polyphony", standalone_mode=False)
    except PolyphonyError as error:
        return report_error(error, as_json=as_json)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        return report_error(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        # the reader went away (`| head`): nothing is wrong, and nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001  the last place: everything unforeseen is a bug of ours
        return report_bug(error, as_json=as_json)
    return status if isinstance(status, int) else 0
