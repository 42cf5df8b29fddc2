"""``polyphony search``: find packages in the registries that were added."""

from __future__ import annotations

import click

from polyphony_cli.client import registries_of, transport_of
from polyphony_cli.console import Console


@click.command()
@click.argument("words", metavar="WORD…", nargs=-1, required=True)
@click.option("--kind", type=click.Choice(["melody", "extension"]), help="Only packages of this kind.")
@click.option("--tag", metavar="WORD", help="A keyword the package must have.")
@click.option("--permission", metavar="KEY", help="A permission key the package asks for.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    metavar="N",
    help="At most this many, up to 100.",
)
@click.pass_obj
def command(
    console: Console,
    *,
    words: tuple[str, ...],
    kind: str | None,
    tag: str | None,
    permission: str | None,
    limit: int,
) -> int:
    """Search the registries that were added for packages with every WORD.

    What a registry answers here is not verified: installing is what checks.
    """
    from polyphony_runner.search_client import Query, search

    filters = {"kind": kind, "tag": tag, "permission": permission}
    query = Query(" ".join(words), limit, {key: value for key, value in filters.items() if value})
    with transport_of(console) as transport:
        found = search(registries_of(console, transport), transport, query, console.registry)
    if console.as_json:
        console.document({"results": [one.to_json() for one in found]})
        return 0
    for one in found:
        console.line(f"{one.name} {one.version}  {one.summary}")
    if not found:
        console.say("nothing found")
    return 0
