"""The facts of a package, read from the bytes of its tree: nothing a publisher says is taken over."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, cast

from polyphony_registry.publishing.errors import PublishError
from polyphony_runner.manifest import find_manifest
from polyphony_runner.manifest import read_manifest as read_outside
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.problems import Problem
from polyphony_schemas.trust.tree import LINK, Entries
from polyphony_schemas.values import JsonObject, JsonValue
from polyphony_schemas.yaml12 import read_document

_LOCAL_OVERRIDES = "melody.local.yaml"
_READMES = ("README.md", "readme.md", "README.markdown", "README", "README.txt")
_README_LIMIT = 256 * 1024
_PROBLEMS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree says about itself. ``role`` is an extension's own kind, ``document`` the manifest's values."""

    path: str
    digest: str
    kind: Literal["melody", "extension"]
    role: str
    name: str
    version: str
    summary: str
    license: str
    keywords: tuple[str, ...]
    permissions: Mapping[str, JsonValue]
    permissions_digest: str
    dependencies: Mapping[str, str]
    document: JsonObject
    readme: str


def read_manifest(entries: Entries) -> Manifest:
    """Check a tree and read its facts.

    Raises PublishError PLY4403 (no manifest, or several), PLY4404 with all problems in ``details``, PLY4412
    (files that may not be published).
    """
    files = {name: entry.data for name, entry in entries.items() if entry.mode != LINK}
    try:
        path = find_manifest(files)
    except PolyphonyError as error:
        raise PublishError("PLY4403", error.message, hint="publish the folder of one package") from None
    _check_overrides(files)
    _check_documents(files, path)
    outside = read_outside(files)
    document = cast("JsonObject", read_document(files[path], path).value)
    return Manifest(
        path=path,
        digest=sha256(files[path]).hexdigest(),
        kind=outside.kind,
        role=_text(document, "kind") if outside.kind == "extension" else "",
        name=outside.name,
        version=outside.version,
        summary=_text(document, "summary"),
        license=_text(document, "license"),
        keywords=_words(document.get("keywords")),
        permissions=canonical_document(outside.permissions),
        permissions_digest=digest(outside.permissions),
        dependencies=dict(reversed([_split(uses) for uses in outside.uses])),
        document=document,
        readme=_readme(files),
    )


def _check_overrides(files: Mapping[str, bytes]) -> None:
    tracked = [path for path in files if posixpath.basename(path) == _LOCAL_OVERRIDES]
    if tracked:
        raise PublishError(
            "PLY4412",
            f"{tracked[0]} is for development and no part of a package",
            hint=f"git rm --cached {tracked[0]}, commit, and publish again",
        )


def _check_documents(files: Mapping[str, bytes], path: str) -> None:
    from polyphony_schemas.validate import validate_tree

    problems = [
        problem for problem in validate_tree(files, path, {}, publish=True) if problem.severity == "error"
    ]
    if problems:
        many = "s" if len(problems) > 1 else ""
        raise PublishError(
            "PLY4404",
            f"{path} has {len(problems)} problem{many}; the first: {_sentence(problems[0])}",
            hint="polyphony validate . shows them all",
            details={"problems": [problem.to_json() for problem in problems[:_PROBLEMS_SHOWN]]},
        )


def _sentence(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}:{problem.column}: {problem.message}"


def _text(document: JsonObject, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _words(value: JsonValue) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _split(uses: str) -> tuple[str, str]:
    name, _, wanted = uses.partition("@")
    return name, wanted


def _readme(files: Mapping[str, bytes]) -> str:
    for name in _READMES:
        if name in files:
            return files[name][:_README_LIMIT].decode("utf-8", "replace")
    return ""
