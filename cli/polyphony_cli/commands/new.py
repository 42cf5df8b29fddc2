"""``polyphony new``: a melody or an extension that validates and runs at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError, UsageError

TEMPLATES = Path(__file__).parent.parent / "templates"
DEFAULTS = {"melody": "hello", "extension": "python"}
_NAME = "@NAME@"
# Under their own names these would mean something in this repository too.
_RENAMED = {"gitignore": ".gitignore", "node.py.in": "node.py", "server.py.in": "server.py"}


@click.command()
@click.argument("kind", type=click.Choice(sorted(DEFAULTS)))
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--template",
    metavar="NAME",
    help="For a melody hello (default) or map, for an extension python (default), process, command, mcp, wasm or node.",
)
@click.pass_obj
def command(console: Console, *, kind: str, folder: Path, template: str | None) -> int:
    """Make a melody or an extension in DIR, which must be empty or not there yet.

    The package is named after the folder.
    """
    source = _template(kind, template or DEFAULTS[kind])
    name = _name_of(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PolyphonyError(
            "PLY7311", f"{str(folder)!r} is not an empty folder", hint="name a folder that is not there yet"
        )
    there = folder.exists()
    try:
        made = _write(source, folder, name)
    except OSError as error:
        if not there:  # no half of a package is left, and the same call works once there is room
            shutil.rmtree(folder, ignore_errors=True)
        raise PolyphonyError(
            "PLY7314",
            f"{str(error.filename or folder)!r} cannot be made: {(error.strerror or str(error)).lower()}",
            hint="name a folder on a disk with room, where you may write",
        ) from None
    if console.as_json:
        console.document({"kind": kind, "name": name, "folder": str(folder), "files": made})
    else:
        for file in made:
            console.line(str(folder / file))
        console.hint(f"polyphony {'run' if kind == 'melody' else 'validate'} {_as_path(folder)}")
    return 0


def _template(kind: str, name: str) -> Path:
    known = sorted(path.name for path in (TEMPLATES / kind).iterdir() if path.is_dir())
    if name not in known:
        raise UsageError(
            "PLY7312",
            f"got the template {name!r}, expected one of {', '.join(known)}",
            hint=f"--template {known[0]}",
        )
    return TEMPLATES / kind / name


def _name_of(folder: Path) -> str:
    from polyphony_schemas.errors import FormatError
    from polyphony_schemas.names import check_name

    try:
        return check_name(folder.absolute().name, "package name")
    except FormatError as error:
        raise UsageError(
            "PLY7313",
            f"the folder gives the package its name: {error.message}",
            hint="use small letters, digits and single '-', such as my-melody",
        ) from None


def _write(source: Path, folder: Path, name: str) -> list[str]:
    """Copy a template with the name put in; gives the files made, sorted."""
    made = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if not path.is_file() or "__pycache__" in relative.parts:
            continue
        target = folder / relative.with_name(_RENAMED.get(relative.name, relative.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes().replace(_NAME.encode(), name.encode()))
        target.chmod(0o755 if relative.parts[0] == "bin" else 0o644)
        made.append(target.relative_to(folder).as_posix())
    return sorted(made)


def _as_path(folder: Path) -> str:
    """The folder as the command line knows it for a path, and not for a package's name."""
    text = str(folder)
    return text if text.startswith((".", "/", "~")) else f"./{text}"
