"""The command group: a literal table from verb to module, so that ``--help`` imports nothing heavy."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from polyphony_cli.console import Console, close_stdout, report_bug, report_error, unusable
from polyphony_cli.main import VERSION
from polyphony_cli.verbs import LazyGroup, Verb
from polyphony_schemas.errors import PolyphonyError

VERBS: dict[str, Verb] = {
    "new": Verb("new", "Make a melody or an extension from a template", "polyphony new melody hello"),
    "validate": Verb(
        "validate", "Check documents and report every problem at once", "polyphony validate hello"
    ),
    "export": Verb("export", "Print a package as YAML or JSON", "polyphony export hello --to json"),
    "run": Verb("run", "Run a melody", "polyphony run ./hello --input name=Ada"),
    "resume": Verb("resume", "Continue a run that was interrupted or halted", "polyphony resume r_01jd3q"),
    "rerun": Verb(
        "rerun", "Run again from a point, with other values", "polyphony rerun r_01jd3q --from lint"
    ),
    "debug": Verb("debug", "Lead a run by hand, from stop to stop", "polyphony debug ./hello --break greet"),
    "cancel": Verb("cancel", "Cancel a run", "polyphony cancel r_01jd3q"),
    "signal": Verb("signal", "Send a signal to a run", "polyphony signal r_01jd3q go --payload 3"),
    "approve": Verb("approve", "Answer what a run asks", "polyphony approve r_01jd3q ask"),
    "preview": Verb("preview", "Show what a run would do; nothing is executed", "polyphony preview ./hello"),
    "test": Verb("test", "Run the cases that travel with a package", "polyphony test ./hello"),
    "runs": Verb("runs", "List runs", "polyphony runs --limit 5"),
    "show": Verb("show", "Show one run", "polyphony show r_01jd3q"),
    "explain": Verb(
        "explain", "Say why a node was executed or found in the cache", "polyphony explain r_01jd3q test"
    ),
    "logs": Verb("logs", "Print what the nodes of a run wrote", "polyphony logs r_01jd3q test"),
    "journal": Verb("journal", "Print or verify the journal of a run", "polyphony journal r_01jd3q --verify"),
    "artifacts": Verb(
        "artifacts", "List, fetch and compare what a run produced", "polyphony artifacts list r_01jd3q"
    ),
    "export-run": Verb("export_run", "Write a run to one file", "polyphony export-run r_01jd3q -o run.zip"),
    "search": Verb("search", "Search the registries", "polyphony search code review"),
    "info": Verb("info", "Show a package", "polyphony info acme/flows"),
    "install": Verb("install", "Fetch, verify and lock packages", "polyphony install acme/flows@^1"),
    "uninstall": Verb("uninstall", "Remove packages from the lock", "polyphony uninstall acme/flows"),
    "update": Verb("update", "Take the newest versions that the lock allows", "polyphony update acme/flows"),
    "outdated": Verb(
        "outdated", "List locked packages that have newer versions", "polyphony outdated --json"
    ),
    "lock": Verb("lock", "Lock what a package on disk uses", "polyphony lock hello"),
    "audit": Verb("audit", "Ask the log about everything that is locked", "polyphony audit"),
    "verify": Verb("verify", "Check signature, log and content of a package", "polyphony verify acme/flows"),
    "publish": Verb("publish", "Sign and publish a package", "polyphony publish --owner acme"),
    "login": Verb("login", "Keep a registry's token", "polyphony login https://registry.example"),
    "whoami": Verb("whoami", "Say who the registry takes you for", "polyphony whoami"),
    "key": Verb("key", "Make and list signing keys", "polyphony key new"),
    "secret": Verb("secret", "Keep and list the secrets of nodes", "polyphony secret set API_KEY"),
    "registry": Verb("registry", "Add registries; run one", "polyphony registry list"),
    "worker": Verb("worker", "Execute nodes for the cluster of this machine", "polyphony worker --slots 8"),
    "sandbox": Verb("sandbox", "Run a command in a node's sandbox", "polyphony sandbox --read . -- ls -la"),
    "doctor": Verb("doctor", "Say what this machine can isolate, and what to mend", "polyphony doctor"),
    "completion": Verb("completion", "Print shell completion", "polyphony completion bash"),
}


@click.group(cls=LazyGroup, verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
@click.option(
    "--home",
    envvar="POLYPHONY_HOME",
    metavar="DIR",
    help="Where keys, lock, packages and runs are kept (default: $POLYPHONY_HOME, else the data folder of this user).",
)
@click.option(
    "--registry",
    envvar="POLYPHONY_REGISTRY",
    metavar="URL",
    help="Which of the added registries to ask, or another address of one (default: $POLYPHONY_REGISTRY, else the one bound to the name).",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, remarks or hints on stderr.")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.option("--no-color", is_flag=True, help="No colours, as NO_COLOR and a pipe say too.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    envvar="POLYPHONY_LOG_FORMAT",
    default="text",
    help="What is said on stderr: lines for people, or one JSON object a line (default: $POLYPHONY_LOG_FORMAT, else text).",
)
@click.option("--offline", is_flag=True, help="Never touch the network.")
@click.version_option(VERSION, "-V", "--version", message="polyphony %(version)s")
@click.pass_context
def cli(ctx: click.Context, /, **flags: Any) -> None:
    """Signed, sandboxed workflows: find, verify, run.

    These options may stand before or after the command. Status: 0 done, 1 no, 2 wrong call, 3 a bug, 130 interrupted.
    """
    ctx.obj = Console.from_flags(flags, os.environ)


_FLAGS = frozenset({"--json", "--no-color", "--offline", "-q", "--quiet", "-v", "--verbose"})
_VALUED = ("--home", "--registry", "--log-format")


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
            value = next(words, None)
            if value is None:
                raise click.UsageError(f"option '{word}' requires an argument")
            front += [word, value]
        else:
            rest.append(word)
    return front + rest


def _logs_json(argv: list[str], environ: Mapping[str, str]) -> bool:
    """Whether errors too go into a structured log; asked before, and without, the parser."""
    words = [*itertools.takewhile(lambda word: word != "--", argv)]
    given = [word.removeprefix("--log-format=") for word in words if word.startswith("--log-format=")]
    given += [after for word, after in itertools.pairwise(words) if word == "--log-format"]
    return (given or [environ.get("POLYPHONY_LOG_FORMAT", "")])[-1] == "json"


def run(argv: list[str]) -> int:
    """Run one call and return its exit status: 0 done · 1 no · 2 usage · 3 our bug · 130 interrupted."""
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", argv)
    log_json = _logs_json(argv, os.environ)
    try:
        status = cli.main(args=hoist(argv), prog_name="polyphony", standalone_mode=False)
    except PolyphonyError as error:
        return report_error(error, as_json=as_json, log_json=log_json)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        return report_error(error, as_json=as_json, log_json=log_json)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("interrupted\n")
        return 130
    except BrokenPipeError:
        # the reader went away (`| head`): nothing is wrong, and nothing more can be said
        close_stdout()
        return 0
    except OSError as error:
        refused = unusable(error)
        return (
            report_error(refused, as_json=as_json, log_json=log_json)
            if refused
            else report_bug(error, as_json=as_json)
        )
    except Exception as error:  # noqa: BLE001  the last place: everything unforeseen is a bug of ours
        return report_bug(error, as_json=as_json)
    return status if isinstance(status, int) else 0
