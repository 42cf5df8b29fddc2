"""``polyphony sandbox``: a command in the very sandbox a node would get."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, cast

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.sandbox import Exit
    from polyphony_runner.sandbox.command import Wishes
    from polyphony_runner.sandbox.spec import Connection, Level

OWN_STATUS = ("exit", "crash")


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--level",
    type=click.Choice(["full", "full-privileged", "landlock"]),
    help="How to isolate (default: what polyphony doctor finds).",
)
@click.option(
    "--read",
    multiple=True,
    metavar="P[:INSIDE]",
    help="Show a file or folder, read-only, at the same path or at INSIDE. Repeatable.",
)
@click.option(
    "--write",
    multiple=True,
    metavar="P[:INSIDE]",
    help="Show a file or folder that may be changed. Repeatable.",
)
@click.option(
    "--network",
    multiple=True,
    metavar="HOST:PORT",
    help="Allow one endpoint (http://… for plain HTTP). Repeatable; none is allowed otherwise.",
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Pass an environment variable, with this VALUE or the caller's. Repeatable.",
)
@click.option(
    "--limit",
    multiple=True,
    metavar="NAME=VALUE",
    help="A bound, such as timeout=30s, memory=512MiB, processes=16, cpu, output, disk, file, tmp, files. Repeatable.",
)
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND…")
@click.pass_obj
def command(  # noqa: PLR0917  # click passes them by name
    console: Console,
    level: str | None,
    read: tuple[str, ...],
    write: tuple[str, ...],
    network: tuple[str, ...],
    env: tuple[str, ...],
    limit: tuple[str, ...],
    words: tuple[str, ...],
) -> int:
    """Run a command in a node's sandbox.

    It starts in an empty /ws and sees /usr and what --read and --write show, nothing else. The exit status is the
    command's; 1 with a typed error when a limit ended it.
    """
    from polyphony_runner.sandbox.command import Wishes

    wishes = Wishes(words, read, write, network, env, limit)
    ended = asyncio.run(_run(console, wishes, cast("Level | None", level)))
    if console.as_json:
        console.document(_document(ended))
    return _status(console, ended)


async def _run(console: Console, wishes: Wishes, level: Level | None) -> Exit:
    from polyphony_runner.home import Home
    from polyphony_runner.sandbox import Streams, run_sandboxed
    from polyphony_runner.sandbox.command import caller_environment, specification

    def to_stdout(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    def to_stderr(chunk: bytes) -> None:
        sys.stderr.buffer.write(chunk)
        sys.stderr.buffer.flush()

    def refused(connection: Connection) -> None:
        if connection.verdict == "refused":
            where = f"{connection.host}:{connection.port}"
            console.say(f"network: {where} refused ({connection.reason})")
            if connection.reason == "not-granted":
                console.hint(f"--network {where} allows it")

    streams = Streams(
        on_stdout=None if console.as_json else to_stdout,
        on_stderr=None if console.as_json else to_stderr,
        on_connection=refused,
        stdin=sys.stdin.fileno(),
    )
    with specification(wishes, caller_environment()) as spec:
        return await run_sandboxed(spec, level=level, streams=streams, state=Home.at(console.home).root)


def _document(ended: Exit) -> dict[str, object]:
    return {
        "kind": ended.kind,
        "status": ended.status,
        "message": ended.message,
        "stdout": ended.stdout.decode("utf-8", "replace"),
        "stderr": ended.stderr,
        "seconds": round(ended.seconds, 4),
        "connections": [
            {"host": c.host, "port": c.port, "address": c.address, "verdict": c.verdict, "reason": c.reason}
            for c in ended.connections
        ],
        "notes": list(ended.notes),
    }


def _status(console: Console, ended: Exit) -> int:
    """The command's own status, or 1 and a typed error when it was not the command that ended it."""
    from polyphony_runner.sandbox.errors import LIMIT_REACHED, NOT_STARTED, SandboxError

    if ended.kind is None or (ended.kind in OWN_STATUS and ended.status is not None):
        return ended.status or 0
    if console.as_json:
        return 1
    if ended.kind == "unavailable":
        raise SandboxError(NOT_STARTED, ended.message, hint="only /usr and what --read shows can be started")
    raise SandboxError(
        LIMIT_REACHED,
        f"{ended.kind}: {ended.message}",
        hint="raise it with --limit NAME=VALUE",
        details={"kind": ended.kind},
    )
