"""``polyphony install``: fetch, verify and lock packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import (
    confirm,
    home_of,
    packages_of,
    registries_of,
    suggesting,
    transport_of,
    with_consent,
)
from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.names import MELODY_FILES
from polyphony_schemas.scalars import parse_duration

if TYPE_CHECKING:
    from polyphony_runner.install.installing import Installed
    from polyphony_runner.install.offers import Offer
    from polyphony_runner.install.resolve import Policy


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
        registries = registries_of(console, transport)

        def install_under(policy: Policy) -> list[Installed]:
            request = Request(
                lock_path=path,
                references=references,
                frozen=frozen,
                policy=policy,
                agree=lambda offers: _agree(console, offers, policy.accepted),
                notice=console.say,
            )
            return install(registries, transport, request)

        with suggesting(registries, transport):
            installed = with_consent(Policy(minimum_age_s=age, accepted=frozenset(accepted)), install_under)
    _tell(console, installed, path)
    for one in installed:
        if one.name in wanted and any((home.store / one.tree / file).is_file() for file in MELODY_FILES):
            console.hint(f"polyphony run {one.name}")
    return 0


def _tell(console: Console, installed: Sequence[Installed], path: Path) -> None:
    """What is installed now, as a document or in lines."""
    if console.as_json:
        console.document(
            {
                "installed": [one.to_json() for one in installed],
                "lock": str(path),
                "effective": {one.name: one.effective for one in installed if one.effective is not None},
            }
        )
    for one in installed:
        console.line(f"{one.name} {one.version}  tree {one.tree[:16]}  record {one.log_index}")
    console.say(
        f"{len(installed)} {'package' if len(installed) == 1 else 'packages'} verified and locked in {path}"
    )


def _seconds(text: str) -> int:
    return 0 if text == "0" else parse_duration(text) // 1000


def _agree(console: Console, offers: Sequence[Offer], accepted: frozenset[str]) -> None:
    """Show what the named packages may do with everything they use; ask where there is somebody to ask.

    Without a terminal installing is the consent, and the digest in the lock its record.
    """
    from polyphony_schemas.permissions.digest import canonical_document
    from polyphony_schemas.permissions.words import describe

    for offer in offers:
        verified = offer.resolved.verified
        if offer.resolved.agreed or not verified.permissions_document:
            continue
        console.say(f"{verified.name} {verified.version} may:")
        for line in describe(offer.asked):
            console.say(f"  - {line}")
        got = offer.whole.grants if offer.whole is not None else offer.asked
        if canonical_document(got) != canonical_document(offer.asked):
            console.say("  of which, with everything it uses, its nodes get:")
            for line in describe(got):
                console.say(f"  - {line}")
        console.say(f"  permissions {offer.digest}")
        agreed = accepted & {offer.digest, verified.permissions}
        if not agreed and confirm("Install it with these permissions?") is False:
            raise PolyphonyError(
                "PLY6803",
                f"you did not agree to the permissions of {verified.name} {verified.version}",
                hint="nothing was installed",
                details={"permissions": canonical_document(offer.asked), "digest": offer.digest},
            )
