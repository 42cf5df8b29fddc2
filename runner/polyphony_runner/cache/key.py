"""The key of a pure node's result: everything that may have gone into it, and nothing else.

```
format      version of this list             extension   tree id of its folder
machine     system and architecture          python      version of the interpreter, for a Python function
inputs.N    values as the node sees them     parameters.N · task.N      likewise
files:/src/N   identity of what is granted there     view:/src/N   how it is shown
env.N       digest of a granted variable     program:N   identity of a program outside the extension
models      granted names
```

Neither run nor node, neither host path nor time, is in it: the same content has the same key in every run and
checkout. Values over 200 bytes stand by their digest. ``NotCacheableError`` says why an attempt has no key.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.cache.content import ContentDigests
from polyphony_runner.cache.errors import NotCacheableError
from polyphony_runner.environments.interpreter import own_interpreter
from polyphony_runner.grants.files import input_names
from polyphony_runner.grants.layout import Placement, inside_of, place_all
from polyphony_runner.grants.paths import Boundaries, check, resolve
from polyphony_runner.grants.ports import Marked, has_mark, replace_marked
from polyphony_runner.grants.values import path_grants, words
from polyphony_runner.packages import Package
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import Assignment
from polyphony_runner.runtimes.specification import granted_programs
from polyphony_runner.runtimes.wasm import engine_version
from polyphony_runner.runtimes.words import SYSTEM_FOLDERS
from polyphony_schemas.program import CommandStart, McpStart, ProcessStart, PythonStart, WasmStart
from polyphony_schemas.values import JsonObject, JsonValue

FORMAT = 1
_INLINE_BYTES = 200
_IMPURE = ("write", "network", "secrets")
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

Parts = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class CacheKey:
    """``digest`` is SHA-256 of the parts; ``extension`` the name that earlier keys are found by, not part of it."""

    digest: str
    parts: Parts
    extension: str


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """Makes keys on this machine. ``boundaries`` are the places no grant may reach, so that they are not read here."""

    content: ContentDigests
    boundaries: Boundaries

    def key(self, assignment: Assignment, package: Package) -> CacheKey:
        """The key of an attempt, every granted file read. Blocking where files are granted."""
        _check_pure(assignment)
        try:
            parts = dict(self._parts(assignment, package))
        except NodeError as error:  # the node itself will say so when it is executed
            raise NotCacheableError(error.message) from error
        digest = hashlib.sha256(_ENCODE(parts).encode()).hexdigest()
        return CacheKey(digest, parts, package.name)

    def _parts(self, assignment: Assignment, package: Package) -> Iterator[tuple[str, JsonValue]]:
        yield "format", FORMAT
        yield "machine", f"{sys.platform} {os.uname().machine}"
        yield "extension", self._extension(package)
        placements = _placements(assignment, package)
        for place in placements:
            check(place.host, self.boundaries)
            yield f"files:{place.inside}", self.content.of(place.host)
            yield f"view:{place.inside}", "copy" if place.grant.private_copy else "direct"
        schemas = package.program.value_schemas()
        for name, value in assignment.inputs.items():
            yield f"inputs.{name}", _short(_inside(value, schemas.get(name), assignment.work, placements))
        for name, value in assignment.parameters.items():
            yield f"parameters.{name}", _short(_inside(value, schemas.get(name), assignment.work, placements))
        for name, value in assignment.task.items():
            yield f"task.{name}", _short(value)
        for name in words(assignment.grants, "env"):
            value = os.environ.get(name)
            yield f"env.{name}", None if value is None else _digest(value.encode("utf-8", "surrogateescape"))
        if models := words(assignment.grants, "models"):
            yield "models", list(models)
        yield from self._programs(assignment, package)

    def _extension(self, package: Package) -> str:
        # The store was hashed when the run began; a folder of it, or of an author, has an identity of its own.
        if package.tree is not None and package.root.name == package.tree:
            return package.tree
        return self.content.of_extension(package.root)

    def _programs(self, assignment: Assignment, package: Package) -> Iterator[tuple[str, JsonValue]]:
        start = package.program.start
        if isinstance(start, PythonStart):
            yield "python", f"{sys.implementation.name} {own_interpreter().full_version}"
        for name, path in granted_programs(words(assignment.grants, "run")).items():
            yield f"program:{name}", self.content.of(path)
        if isinstance(start, WasmStart):
            yield "wasmtime", engine_version()
        by_words = CommandStart | ProcessStart | McpStart
        if isinstance(start, by_words) and not (package.root / start.words[0]).is_file():
            found = shutil.which(start.words[0], path=":".join(SYSTEM_FOLDERS))
            if found is not None:
                yield f"program:{start.words[0]}", self.content.of(Path(found).resolve())


def reads_files(assignment: Assignment) -> bool:
    """Whether making the key reads granted files, so that a thread should do it."""
    return bool(assignment.grants.get("read") or assignment.grants.get("run"))


def _check_pure(assignment: Assignment) -> None:
    if assignment.allow_unsandboxed:
        raise NotCacheableError("it runs without isolation: nothing says what it reads")
    for key in _IMPURE:
        if assignment.grants.get(key):
            raise NotCacheableError(f"it is granted {key}: its result may depend on what no key holds")


def _placements(assignment: Assignment, package: Package) -> list[Placement]:
    resolved = [(grant, resolve(grant.path, assignment.work)) for grant in path_grants(assignment.grants)]
    if not resolved:
        return []
    values = {**assignment.inputs, **assignment.parameters}
    return place_all(resolved, input_names(package.program.declared_paths(), values, assignment.work))


def _inside(
    value: JsonValue, schema: JsonObject | None, work: Path, placements: Sequence[Placement]
) -> JsonValue:
    """The value with host paths written as the node sees them."""
    if schema is None or not has_mark(schema):
        return value

    def rewrite(kind: Marked, one: JsonValue) -> JsonValue:
        if kind != "path" or not isinstance(one, str):
            return one
        inside = inside_of(resolve(one, work), placements)
        if inside is None:
            raise NotCacheableError(f"no grant of this node covers {one!r}")
        return inside

    return replace_marked(value, schema, rewrite)


def _short(value: JsonValue) -> JsonValue:
    text = _ENCODE(value)
    return value if len(text) <= _INLINE_BYTES else {"sha256": _digest(text.encode()), "size": len(text)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
