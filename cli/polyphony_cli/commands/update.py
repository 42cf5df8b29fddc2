"""``polyphony update``: take the newest versions that the locked ranges allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from polyphony_cli.client import home_of, packages_of, registries_of, transport_of, with_consent
from polyphony_cli.console import Console
from polyphony_schemas.errors import UsageError
from polyphony_schemas.scalars import parse_duration


@click.command()
@click.argument("names", metavar="[NAME]…", nargs=-1)
@click.option("--global", "everywhere", is_flag=True, help="The lock of the home, not of this git work tree.")
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
@click.option("--accept-signer", is_flag=True, help="Take a signer that the locked one did not authorise.")
@click.pass_obj
def command(
    console: Console,
    *,
    names: tuple[str, ...],
    everywhere: bool,
    minimum_age: str | None,
    accepted: tuple[str, ...],
    accept_signer: bool,
) -> int:
    """Resolve what the lock names anew (or only NAMEs), within the locked ranges.

    Everything is verified as install does; a version that asks for more, or another signer, stops.
    """
    from polyphony_runner.install.installing import Request, install
    from polyphony_runner.install.resolve import Policy
    from polyphony_runner.locking import install_place, read_lock

    if accept_signer and not names:
        raise UsageError(
            "PLY6805",
            "--accept-signer needs the name it is about",
            hint="polyphony update NAME --accept-signer",
        )
    home = home_of(console)
    path = install_place(home, Path.cwd(), everywhere=everywhere)
    age = None if minimum_age is None else 0 if minimum_age == "0" else parse_duration(minimum_age) // 1000
    with transport_of(console) as transport:
        request = Request(lock_path=path, references=packages_of(names), update=True, notice=console.say)
        before, registries = read_lock(path), registries_of(console, transport)
        installed = with_consent(
            Policy(age, frozenset(accepted), accept_signer),
            lambda policy: install(registries, transport, replace(request, policy=policy)),
        )
    known = set() if before is None else set(before.packages)
    changed = [one for one in installed if f"{one.name}@{one.version}" not in known]
    if console.as_json:
        console.document({"installed": [one.to_json() for one in installed], "lock": str(path)})
    for one in changed:
        console.line(f"{one.name} {one.version}  tree {one.tree[:16]}  record {one.log_index}")
    console.say(f"{len(changed)} changed in {path}")
    return 0
