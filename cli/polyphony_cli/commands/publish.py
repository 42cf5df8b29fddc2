"""``polyphony publish``: check, sign, push and register a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import ask_secret, confirm, credentials_of, home_of, keys_of, transport_of
from polyphony_cli.console import Console
from polyphony_schemas.errors import UsageError

if TYPE_CHECKING:
    from polyphony_runner.preparing import Check, Prepared


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option(
    "--owner",
    metavar="NS",
    help="The namespace to publish into (default: that of the origin remote, else the only one of the token).",
)
@click.option(
    "--key", metavar="NAME", help="The signing key, or env:VARIABLE (default: the only one there is)."
)
@click.option("--dry-run", is_flag=True, help="Check everything, send nothing.")
@click.option(
    "--enrol", is_flag=True, help="Enrol the key when the namespace has no signer yet, without asking."
)
@click.pass_obj
def command(
    console: Console, *, path: Path, owner: str | None, key: str | None, dry_run: bool, enrol: bool
) -> int:
    """Sign and publish the package at PATH (default: here).

    PATH is the root of a git repository with everything committed: a version is one commit. All problems are
    reported at once; the cases in tests/ are run. --dry-run needs no registry and no owner.
    """
    from polyphony_runner.preparing import prepare

    prepared = prepare(path, _check(console))
    if dry_run or not prepared.ready:
        name = f"{owner}/{prepared.manifest.name}" if owner and prepared.manifest else None
        return _report(console, prepared, prepared.to_json(name=name, dry_run=dry_run))
    return _send(console, prepared, owner=owner, key=key, enrol=enrol)


def _send(console: Console, prepared: Prepared, *, owner: str | None, key: str | None, enrol: bool) -> int:
    from polyphony_runner.publishing import choose_owner, publish

    login = credentials_of(console).choose(console.registry)
    with transport_of(console) as transport:
        namespace = choose_owner(prepared.files.root, owner, login, transport)
        signer = keys_of(console).signer(key, ask_secret)
        done = publish(
            prepared,
            owner=namespace,
            login=login,
            signer=signer,
            transport=transport,
            may_enrol=lambda name, hint: enrol or _may_enrol(name, hint),
        )
    if done.enrolled:
        console.say(f"{namespace}: the key {done.statement.predicate.publisher.id} now signs for it")
    document = {
        **prepared.to_json(name=done.name, dry_run=False),
        "statement": done.statement.to_json(),
        "log_index": done.log_index,
    }
    return _report(console, prepared, document)


def _check(console: Console) -> Check:
    from polyphony_cli.case_runs import with_cases
    from polyphony_runner.checking import publishing_check

    return with_cases(console, publishing_check(home_of(console)))


def _may_enrol(owner: str, hint: str) -> bool:
    answer = confirm(f"{owner} has no signer yet. Shall the key {hint} sign for it from now on?")
    if answer is None:
        raise UsageError(
            "PLY6713",
            f"the namespace {owner!r} has no signer yet, and there is nobody to ask",
            hint="polyphony publish --enrol enrols this key as its first signer",
            details={"owner": owner, "key": hint},
        )
    return answer


def _report(console: Console, prepared: Prepared, document: dict[str, object]) -> int:
    if console.as_json:
        console.document(document)
        return 0 if prepared.ready else 1
    for problem in prepared.problems:
        place = f"{problem.file or prepared.files.root}:{problem.line}:{problem.column}"
        console.line(f"{place}: {problem.severity}[{problem.code}]: {problem.message}")
        if problem.hint:
            console.line(f"  hint: {problem.hint}")
    if not prepared.ready:
        console.say("nothing was published")
        return 1
    console.line(f"{document['name']} {document['version']}  tree {document['tree']}")
    if document["dry_run"]:
        console.say("dry run: nothing was sent")
    else:
        console.line(f"signed, logged as record {document['log_index']}")
        console.hint(f"polyphony install {document['name']}")
    return 0
