"""A person's command in the very sandbox a node would get: words of the command line become a specification."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyphony_runner.sandbox.endpoints import parse_endpoint
from polyphony_runner.sandbox.errors import SPEC_INVALID
from polyphony_runner.sandbox.spec import Limits, Mount, SandboxSpec
from polyphony_runner.sandbox.tree import remove_tree
from polyphony_schemas.errors import FormatError, UsageError
from polyphony_schemas.scalars import parse_duration, parse_size

# name on the command line (as in ``limits:`` of a melody) -> (field, how its value is read)
DURATIONS = {"timeout": "wall", "cpu": "cpu"}
SIZES = {
    "memory": "memory",
    "output": "stdout",
    "disk": "disk",
    "file": "file_size",
    "tmp": "tmp",
    "network": "network",
}
COUNTS = {"processes": "processes", "files": "open_files"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was written on the command line, word by word."""

    command: Sequence[str]
    read: Sequence[str] = ()
    write: Sequence[str] = ()
    network: Sequence[str] = ()
    env: Sequence[str] = ()
    limit: Sequence[str] = ()


def _mount(text: str, *, writable: bool) -> Mount:
    """``P[:INSIDE]``; INSIDE defaults to the absolute P. A path with a colon needs INSIDE."""
    host, _, inside = text.rpartition(":") if ":" in text else (text, "", "")
    path = Path(host).expanduser()
    if not path.exists():
        raise UsageError(
            SPEC_INVALID, f"{host!r} does not exist", hint="name a file or folder, as P or P:INSIDE"
        )
    return Mount(path.resolve(), inside or str(path.absolute()), "rw" if writable else "ro")


def _limits(words: Sequence[str]) -> Limits:
    fields: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            if name in DURATIONS:
                fields[DURATIONS[name]] = parse_duration(value) / 1000
            elif name in SIZES:
                fields[SIZES[name]] = parse_size(value)
            elif name in COUNTS and value.isascii() and value.isdigit() and int(value) > 0:
                fields[COUNTS[name]] = int(value)
            else:
                raise _limit_error(word, "")
        except FormatError as error:
            raise _limit_error(word, f": {error.message}") from error
    return Limits(**fields)


def _limit_error(word: str, more: str) -> UsageError:
    names = " ".join([*DURATIONS, *SIZES, *COUNTS])
    return UsageError(
        SPEC_INVALID,
        f"{word!r} is no limit{more}",
        hint=f"write NAME=VALUE with one of {names}, like timeout=30s, memory=512MiB, processes=16",
    )


def _environment(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found[name] = value
        elif name in environ:
            found[name] = environ[name]
        else:
            raise UsageError(
                SPEC_INVALID,
                f"the environment variable {name!r} is not set",
                hint="set it, or write NAME=VALUE",
            )
    return found


@contextmanager
def specification(wishes: Wishes, environ: Mapping[str, str]) -> Iterator[SandboxSpec]:
    """The specification with a fresh work folder, which is removed at the end. UsageError PLY3004."""
    mounts = [_mount(text, writable=False) for text in wishes.read]
    mounts += [_mount(text, writable=True) for text in wishes.write]
    folder = Path(tempfile.mkdtemp(prefix="polyphony-sandbox-"))
    try:
        work = folder / "ws"
        work.mkdir(mode=0o700)
        yield SandboxSpec(
            argv=tuple(wishes.command),
            work=work,
            env=_environment(wishes.env, environ),
            mounts=tuple(mounts),
            endpoints=tuple(parse_endpoint(text) for text in wishes.network),
            limits=_limits(wishes.limit),
            host_proxy=environ.get("HTTPS_PROXY") or environ.get("https_proxy") or None,
        )
    finally:
        remove_tree(folder)


def caller_environment() -> Mapping[str, str]:
    """The environment of the person's shell, for ``--env`` and the upstream proxy."""
    return os.environ
