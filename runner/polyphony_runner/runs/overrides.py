"""Development overrides: ``--override NAME=PATH`` and ``melody.local.yaml`` beside the melody (docs/melody.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.git import git, work_tree_root
from polyphony_runner.runs.errors import RunError
from polyphony_schemas.errors import UsageError

LOCAL_FILE = "melody.local.yaml"


def read_overrides(folder: Path, words: Sequence[str], *, in_store: bool = False) -> dict[str, Path]:
    """Folders by ``owner/name``; what the command line says wins over the file."""
    found = _of_file(folder, in_store=in_store)
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or "/" not in name:
            raise UsageError("PLY2410", f"{word!r} is no override", hint="write --override owner/name=PATH")
        found[name] = Path(text).expanduser().absolute()
    for name, given in found.items():
        if not given.is_dir():
            raise UsageError("PLY2410", f"the override of {name} names no folder: {str(given)!r}")
    return found


def refuse_overridden(overrides: Mapping[str, Path], asking: str) -> None:
    """PLY2410 for a call that takes only what registries publish; ``asking`` names it."""
    if overrides:
        raise UsageError(
            "PLY2410",
            f"{asking} takes what registries publish, and {', '.join(sorted(overrides))} is overridden",
            hint=f"leave the overrides out (--override, {LOCAL_FILE})",
        )


def _of_file(folder: Path, *, in_store: bool) -> dict[str, Path]:
    file = folder / LOCAL_FILE
    if not file.exists():
        return {}
    if in_store or _tracked(file):
        raise RunError(
            "PLY2411",
            f"{LOCAL_FILE} is part of the package: overrides may never travel with it",
            hint=f"git rm --cached {LOCAL_FILE} and add it to .gitignore",
        )
    from pydantic import ValidationError

    from polyphony_schemas.melody_local import LocalFile
    from polyphony_schemas.yaml12 import read_document

    document = read_document(file.read_bytes(), LOCAL_FILE)
    try:
        overrides = LocalFile.model_validate(document.value).overrides
    except ValidationError:
        overrides = None
    if document.problems or overrides is None:
        raise RunError(
            "PLY2410", f"{LOCAL_FILE} holds no map of overrides", hint="overrides: {owner/name: ../folder}"
        )
    return {name: (folder / path).resolve() for name, path in overrides.items()}


def _tracked(file: Path) -> bool:
    if work_tree_root(file.parent) is None:
        return False
    try:
        git(file.parent, "ls-files", "--error-unmatch", "--", file.name)
    except ClientError:
        return False
    return True
