"""``polyphony install``: fetch, verify and lock packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import confirm, home_of, packages_of, registries_of, suggesting, transport_of
from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.names import MELODY_FILES
from polyphony_schemas.scalars import parse_duration

if TYPE_CHECKING:
    from polyphony_runner.install.resolve import Resolved


@click.command()
@click.argument("names", metavar="[NAME[@RANGE]]…", nargs=-1)
@click.option("--global", "everywhere", is_flag=True, help="Lock in the home, not in this git work tree.")
@click.option("--frozen", is_flag=True, help="Leave the lock as it is; any difference is an error.")
@click.option(
    "--minimum-age",
    metavar="D",
    help="Take versions that are at least this old, such as 12h; 0: any (default: as the registry was added).",
)
@click.option(
    "--accept-permissions",
    "accepted",
    metavar="DIGEST",
    multiple=True,
    help="Agree to these permissions. Repeatable.",
)
@click.pass_obj
def command(
    console: Console,
    *,
    names: tuple[str, ...],
    everywhere: bool,
    frozen: bool,
    minimum_age: str | None,
    accepted: tuple[str, ...],
) -> int:
    """Fetch, verify and lock packages, with everything they use.

    Without names, what the lock names is fetched and verified. Signature, log and policy are checked before
    anything is downloaded, the content before anything is written; docs/install.md lists the steps.
    """
    from polyphony_runner.errors import ClientError
    from polyphony_runner.install.installing import Request, install
    from polyphony_runner.install.resolve import Policy
    from polyphony_runner.locking import install_place

    age = None if minimum_age is None else _seconds(minimum_age)
    if age is not None:
        console.say(f"taking versions published at least {minimum_age} ago; the lock records it")
    references = packages_of(names)
    wanted = {reference.full_name for reference in references}
    home = home_of(console)
    path = install_place(home, Path.cwd(), everywhere=everywhere)
    if not names and not path.exists():
        raise ClientError(
            "PLY6602", f"there is no lock at {path} to install from", hint="polyphony install NAME makes one"
        )
    with transport_of(console) as transport:
        request = Request(
            lock_path=path,
            references=references,
            frozen=frozen,
            policy=Policy(minimum_age_s=age, accepted=frozenset(accepted)),
            agree=lambda named: _agree(console, named, frozenset(accepted)),
            notice=console.say,
        )
        registries = registries_of(console, transport)
        with suggesting(registries, transport):
            installed = install(registries, transport, request)
    if console.as_json:
        console.document({"installed": [one.to_json() for one in installed], "lock": str(path)})
    for one in installed:
        console.line(f"{one.name} {one.version}  tree {one.tree[:16]}  record {one.log_index}")
    console.say(
        f"{len(installed)} {'package' if len(installed) == 1 else 'packages'} verified and locked in {path}"
    )
    for one in installed:
        if one.name in wanted and any((home.store / one.tree / file).is_file() for file in MELODY_FILES):
            console.hint(f"polyphony run {one.name}")
    return 0


def _seconds(text: str) -> int:
    return 0 if text == "0" else parse_duration(text) // 1000


def _agree(console: Console, named: Sequence[Resolved], accepted: frozenset[str]) -> None:
    """Show what the named packages may do, in plain words; ask where there is somebody to ask.

    Without a terminal installing is the consent, and the digest in the lock its record.
    """
    from polyphony_runner.install.consent import words

    for resolved in named:
        verified = resolved.verified
        if resolved.agreed or not verified.permissions_document:
            continue
        console.say(f"{verified.name} {verified.version} may:")
        for line in words(verified):
            console.say(f"  - {line}")
        console.say(f"  permissions {verified.permissions}")
        if verified.permissions not in accepted and confirm("Install it with these permissions?") is False:
            raise PolyphonyError(
                "PLY6803",
                f"you did not agree to the permissions of {verified.name} {verified.version}",
                hint="nothing was installed",
                details={
                    "permissions": verified.permissions_document,
                    "digest": verified.permissions,
                },
            )
