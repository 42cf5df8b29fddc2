"""``polyphony preview``: what a run would do, with made-up values; nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console
from polyphony_schemas.errors import UsageError

if TYPE_CHECKING:
    from polyphony_schemas.values import JsonValue


@click.command()
@click.argument("melody", metavar="REF_OR_PATH")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; others are made up.")
@click.option(
    "--inputs",
    "inputs_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Inputs as a JSON object.",
)
@click.option(
    "--pins",
    "pins_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Outputs of nodes: NODE: {outputs: {…}}, or a case of the package's tests.",
)
@click.option(
    "--override", "overrides", multiple=True, metavar="NAME=PATH", help="Use a folder in place of a package."
)
@click.pass_obj
def command(
    console: Console,
    *,
    melody: str,
    inputs: tuple[str, ...],
    inputs_file: Path | None,
    pins_file: Path | None,
    overrides: tuple[str, ...],
) -> int:
    """Show which nodes would run, what they may touch, and what they may cost. No program is started.

    Nodes that are not pinned give made-up values of their outputs' schemas; people approve, signals come.
    """
    from polyphony_cli.run_verbs import fetch_missing, home_of
    from polyphony_runner.runs.assemble import RunRequest
    from polyphony_runner.runs.installed import locate
    from polyphony_runner.runs.preview import preview

    pins = _pins(pins_file)
    place = locate(melody, home_of(console))
    request = RunRequest(
        melody=place.path,
        inputs=inputs,
        inputs_file=inputs_file,
        overrides=overrides,
        tree=place.tree,
        fetch=fetch_missing(console, frozen=False),
    )
    document = preview(request, pins, place.packages).to_json()
    if console.as_json:
        console.document(document)
    else:
        for line in _lines(document):
            console.line(line)
    return 0


def _pins(path: Path | None) -> Mapping[str, JsonValue]:
    """The pins in a file; UsageError PLY2757 when it holds none."""
    if path is None:
        return {}
    from polyphony_schemas.yaml12 import read_document

    try:
        document = read_document(path.read_bytes(), path.name)
    except OSError as error:
        raise UsageError("PLY2757", f"the pins {str(path)!r} cannot be read: {error.strerror}") from error
    value = document.value
    found = value.get("pins", value) if isinstance(value, Mapping) else None
    good = isinstance(found, Mapping) and all(
        isinstance(one, Mapping) and isinstance(one.get("outputs"), Mapping) for one in found.values()
    )
    if document.problems or not good or not isinstance(found, Mapping):
        raise UsageError(
            "PLY2757",
            f"{str(path)!r} holds no pins",
            hint="NODE: {outputs: {PORT: VALUE}}, one key for each node",
        )
    return found


def _lines(document: Mapping[str, JsonValue]) -> list[str]:
    from polyphony_schemas.permissions.words import describe

    lines = [f"{document['name']} {document['version']}  would end: {document['status']}"]
    error = document["error"]
    if isinstance(error, Mapping):
        lines.append(f"  {error['kind']}: {error['message']}")
    nodes = document["nodes"]
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, Mapping):
            ended = node["ended"]
            counts = ended.items() if isinstance(ended, Mapping) else ()
            told = ", ".join(status if count == 1 else f"{count} {status}" for status, count in counts)
            lines.append(f"  {node['node']}  {node['uses']}  {told}  ({node['values']})")
    permissions = document["permissions"]
    asked = describe(permissions) if isinstance(permissions, Mapping) else []  # type: ignore[arg-type]  # read back
    lines += [f"asks to: {one}" for one in asked]
    lines += _used(document["effective"])
    if permissions:
        lines.append(f"  agree with --accept-permissions {document['digest']}")
    return [*lines, _cost(document["cost"])]


def _used(effective: JsonValue) -> list[str]:
    """What nodes really get of it, with the nodes; services of the own machine and network apart, at the end."""
    from polyphony_schemas.permissions.items import endpoint, text_of

    uses = effective["uses"] if isinstance(effective, Mapping) else ()
    private = effective["private"] if isinstance(effective, Mapping) else ()
    told: list[tuple[bool, str]] = []
    for use in uses if isinstance(uses, list) else ():
        if isinstance(use, Mapping) and isinstance(use["nodes"], list):
            own = use["key"] == "network" and endpoint(use["item"]).url in (private or ())  # type: ignore[operator]  # a list of texts
            told.append((own, f"{use['key']} {text_of(use['item'])}: {', '.join(map(str, use['nodes']))}"))
    return [
        f"{'own network' if own else 'gets'}: {line}" for own, line in sorted(told, key=lambda one: one[0])
    ]


def _cost(cost: JsonValue) -> str:
    if not isinstance(cost, Mapping):
        return ""
    unknown = cost["unknown"]
    named = ", ".join(map(str, unknown)) if isinstance(unknown, list) else ""
    bound = "not bounded" if cost["usd"] is None else f"at most {cost['usd']} USD"
    tokens = "" if cost["tokens"] is None else f", {cost['tokens']} tokens"
    return f"cost: {bound}{tokens}{f'; no limit at: {named}' if named else ''}"
