"""What installing and publishing need to know of a manifest: who it says it is, what it may do, what it uses.

Read from the document's plain values, so that it costs no more than reading the YAML: full validation is
`polyphony_schemas.validate`. Package dependencies are those of the root document and of every ``./path`` melody of
the same tree that it reaches.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from polyphony_runner.errors import ClientError
from polyphony_schemas.errors import FormatError
from polyphony_schemas.names import MANIFESTS, MELODY_FILES, LocalReference, PackageReference, parse_uses
from polyphony_schemas.permissions.declared import ceiling_of, declared_of
from polyphony_schemas.permissions.keys import Declared
from polyphony_schemas.permissions.model import DeclaredPermissions, PermissionMap
from polyphony_schemas.values import JsonObject, JsonValue
from polyphony_schemas.yaml12 import read_document


@dataclass(frozen=True, slots=True)
class Manifest:
    """The outside of a package. ``uses`` holds the registry packages it needs, as written, sorted."""

    kind: Literal["melody", "extension"]
    path: str
    name: str
    version: str
    permissions: Declared
    uses: tuple[str, ...]


def find_manifest(files: Mapping[str, bytes]) -> str:
    """The path of the one manifest at the root of a tree; PLY6705 when there is none or more than one."""
    found = [name for name in MANIFESTS if name in files]
    if len(found) == 1:
        return found[0]
    raise ClientError(
        "PLY6705",
        f"the package holds {' and '.join(found) or 'no manifest'} at its root, expected exactly one of "
        f"{', '.join(MANIFESTS)}",
        hint="polyphony new melody DIR and polyphony new extension DIR make a package",
    )


def read_manifest(files: Mapping[str, bytes]) -> Manifest:
    """Read the manifest of a tree (its files by path); PLY6705 and PLY6707."""
    path = find_manifest(files)
    value = _document(files[path], path)
    name, version = value.get("name"), value.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise _unreadable(path, "name and version must be there, as text")
    uses = tuple(sorted(set(_reachable(files, path, value))))
    if path in MELODY_FILES:
        return Manifest("melody", path, name, version, _ceiling(path, value), uses)
    return Manifest("extension", path, name, version, _declaration(path, value), ())


def _ceiling(path: str, value: JsonObject) -> Declared:
    config = value.get("config") or {}
    raw = config.get("permissions") if isinstance(config, Mapping) else None
    try:
        return ceiling_of(PermissionMap.model_validate(raw or {}))
    except ValidationError as error:
        raise _unreadable(path, f"config.permissions: {error.errors()[0]['msg']}") from None


def _declaration(path: str, value: JsonObject) -> Declared:
    try:
        return declared_of(DeclaredPermissions.model_validate(value.get("permissions") or {}))
    except ValidationError as error:
        raise _unreadable(path, f"permissions: {error.errors()[0]['msg']}") from None


def _reachable(files: Mapping[str, bytes], path: str, value: JsonObject) -> Iterator[str]:
    """Every ``owner/name@range`` in a melody and in the melodies of the same tree that it uses."""
    waiting, seen = [(path, value)], {path}
    while waiting:
        here, document = waiting.pop()
        for text in _uses(document.get("nodes")):
            try:
                reference = parse_uses(text)
            except FormatError as error:
                raise _unreadable(here, error.message) from None
            if isinstance(reference, PackageReference):
                yield str(reference)
            elif isinstance(reference, LocalReference):
                folder = posixpath.normpath(posixpath.join(posixpath.dirname(here), reference.path))
                for name in MELODY_FILES:
                    below = posixpath.normpath(posixpath.join(folder, name))
                    if below in files and below not in seen:
                        seen.add(below)
                        waiting.append((below, _document(files[below], below)))


def _uses(nodes: JsonValue) -> Iterator[str]:
    if not isinstance(nodes, Mapping):
        return
    for node in nodes.values():
        if isinstance(node, Mapping):
            uses = node.get("uses")
            if isinstance(uses, str):
                yield uses
            yield from _uses(node.get("nodes"))


def _document(data: bytes, path: str) -> JsonObject:
    document = read_document(data, path)
    if document.problems or not isinstance(document.value, Mapping):
        why = document.problems[0].message if document.problems else "it is no map"
        raise _unreadable(path, why)
    return document.value


def _unreadable(path: str, why: str) -> ClientError:
    return ClientError(
        "PLY6707", f"{path} cannot be read: {why}", hint="polyphony validate lists every problem of a package"
    )
