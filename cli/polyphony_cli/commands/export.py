"""``polyphony export``: a document in the other notation, without loss (comments are no data)."""

from __future__ import annotations

from pathlib import Path

import click

from polyphony_cli.console import Console
from polyphony_schemas.errors import FormatError


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["yaml", "json"]), required=True, help="Which notation.")
@click.pass_obj
def command(console: Console, *, path: Path, kind: str) -> int:
    """Print the melody or extension at PATH (a folder or its file) as YAML or JSON.

    The document keeps its meaning and the order of its keys; comments are left behind.
    """
    from polyphony_cli.validation import find_manifest
    from polyphony_schemas.documents.writing import write_json, write_yaml
    from polyphony_schemas.yaml12 import read_document

    file = find_manifest(path)
    document = read_document(file.read_bytes(), file.name)
    if document.problems:
        first = document.problems[0]
        raise FormatError(
            "PLY7321",
            f"{path}:{first.line}:{first.column}: {first.message}",
            hint=f"polyphony validate {path} lists every problem",
        )
    if console.as_json:
        console.document(document.value)
    else:
        console.line((write_yaml if kind == "yaml" else write_json)(document.value).rstrip("\n"))
    return 0
