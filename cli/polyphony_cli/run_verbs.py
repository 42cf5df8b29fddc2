"""What the verbs about runs share: finding the run, executing a session, telling how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.conductor.state import RunState
    from polyphony_runner.grants.secrets import SecretSource
    from polyphony_runner.home import Home
    from polyphony_runner.packages import PackageSource
    from polyphony_runner.runs.folder import RunFolder
    from polyphony_runner.runs.session import RuntimeFactory, Session

INTERRUPTED = 130


def home_of(console: Console) -> Home:
    """The home of this call."""
    from polyphony_runner.home import Home

    return Home.at(console.home)


def run_folder(console: Console, run: str) -> RunFolder:
    """The folder of a run named on the command line; of a cluster's run a copy, as it is now."""
    from polyphony_runner.runs.errors import RunError
    from polyphony_runner.runs.folder import find_run

    folder: RunFolder | None
    try:
        folder = find_run(home_of(console).runs, run)
    except RunError as error:
        from polyphony_cli.cluster_verbs import names_cluster, relayed

        folder = relayed(console, run) if error.code == "PLY2402" and names_cluster(console) else None
        if folder is None:
            raise
        return folder
    if folder.of_cluster:
        from polyphony_cli.cluster_verbs import relayed

        return relayed(console, folder.run) or folder
    return folder


def require_node(folder: RunFolder, node: str) -> None:
    """PLY2419 for a node that the run has not got, with the nearest one it has; nothing while it has begun none."""
    from polyphony_runner.journal.file import read_journal
    from polyphony_runner.runs.errors import RunError
    from polyphony_schemas.names import did_you_mean

    known = {event.node for event in read_journal(folder.journal) if event.node}
    inside = any(path == node or path.startswith((f"{node}/", f"{node}[")) for path in known)
    if known and not inside:
        raise RunError(
            "PLY2419",
            f"the run {folder.run!r} has no node {node!r} so far",
            hint=did_you_mean(node, known) or f"polyphony show {folder.run} lists them",
        )


def execute(console: Console, session: Session, metrics: Path | None = None) -> int:
    """Execute a session with the sandbox of this machine and print its outcome; ``metrics`` is a file for them."""
    from polyphony_cli.observing import observing
    from polyphony_cli.run_view import view_for

    view = view_for(console, tty=sys.stderr.isatty())

    def leave_at_once() -> None:
        view.abandon()
        sys.stderr.flush()
        os._exit(INTERRUPTED)

    session.on_second_signal, session.notice = leave_at_once, console.say
    with session:
        runtime = sandboxed(session.home, secrets_of(session))
        with observing(console, session.home, session.folder.run, view, metrics) as observer:
            state = session.execute(runtime, observer)
    return tell(console, session.folder, state)


def secrets_of(session: Session) -> SecretSource:
    """The secrets of the home; a passphrase is asked for before the first node, when the run may need one."""
    from polyphony_cli.commands.secret import ask_passphrase
    from polyphony_runner.grants.secrets import SecretSource

    source = SecretSource.of(session.home, ask_passphrase)
    if session.record.ceiling.get("secrets") and source.store is not None and source.store.locked:
        source.store.unlock()
    return source


def sandboxed(home: Home, secrets: SecretSource | None = None) -> RuntimeFactory:
    """The runtime of this machine: everything in the sandbox."""
    from polyphony_runner.runtimes.sandboxed import SandboxedRuntime

    return lambda packages, artifacts, base: SandboxedRuntime(
        packages, artifacts, home, base=base, secrets=secrets
    )


def tell(console: Console, folder: RunFolder, state: RunState) -> int:
    """Print the run's document or summary; the exit status: 0 only for ``succeeded``."""
    from polyphony_cli.run_view import summary
    from polyphony_runner.runs.report import run_document

    document = run_document(folder.run, state)
    if console.as_json:
        console.document(document)
    else:
        for line in summary(document):
            console.line(line)
    if state.status == "halted":
        console.hint(f"polyphony resume {folder.run}")
        return INTERRUPTED if state.halt.get("reason") == "interrupted" else 1
    error = document["error"]
    if isinstance(error, Mapping) and error["kind"] == "unavailable":
        console.hint("polyphony doctor says what is missing, and how to mend it")
    if state.status == "failed":
        console.hint(
            f"polyphony show {folder.run} tells what failed; polyphony logs {folder.run} what was written"
        )
    return 0 if state.status == "succeeded" else 1


def fetch_missing(console: Console, *, frozen: bool) -> Callable[[Path, Sequence[str]], PackageSource]:
    """Verifies and locks what a melody on disk uses and no lock near it names."""

    def fetch(folder: Path, uses: Sequence[str]) -> PackageSource:
        from polyphony_cli.client import registries_of, transport_of
        from polyphony_runner.install.extending import lock_uses
        from polyphony_runner.locked_packages import packages_for_path

        with transport_of(console) as transport:
            registries = registries_of(console, transport)
            for one in lock_uses(registries, transport, folder, uses, frozen=frozen, notice=console.say):
                console.say(f"locked {one.name} {one.version}  tree {one.tree[:16]}")
        return packages_for_path(home_of(console), folder)

    return fetch


def ask_consent(console: Console) -> Callable[[Sequence[str], str], bool] | None:
    """Asks on the terminal whether a melody may have what it wants; None when there is none."""
    if console.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(lines: Sequence[str], digest: str) -> bool:
        console.say("This melody asks to:")
        for line in lines:
            console.say(f"  - {line}")
        return click.confirm(f"Allow it (digest {digest[:12]}…)?", err=True, default=False)

    return ask
