"""The values of a node that runs without a sandbox (the person's flag for one run): host paths instead of inside ones.

Nothing is mounted then, so a path inside that stands alone in a value becomes the host's path it would have shown.
Secrets are files in the work folder's parent, which is private. ``/out`` exists nowhere: an extension that writes
there fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from polyphony_runner.sandbox.spec import Mount
from polyphony_schemas.values import JsonValue


def on_host(value: JsonValue, path: Callable[[str], str]) -> JsonValue:
    """The value with every text that is a place replaced by what ``path`` says of it."""
    if isinstance(value, str):
        return path(value)
    if isinstance(value, Mapping):
        return {key: on_host(item, path) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [on_host(item, path) for item in value]
    return value


def secret_file(work: Path, name: str) -> Path:
    """Where the value of a granted secret is on the host while the node runs."""
    return work.parent / f"secret-{name}"


def write_secrets(values: Mapping[str, bytes], work: Path) -> None:
    """Write the granted secrets, readable by this user alone; they go with the work folder."""
    for name, value in values.items():
        descriptor = os.open(
            secret_file(work, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(value)


def bare_path(text: str, mounts: Sequence[Mount], work: Path) -> str:
    """The host's path of a place inside, where nothing is mounted; other text as it is."""
    places = {"/ws": work} | {mount.inside: mount.source for mount in mounts}
    for inside in sorted(places, key=len, reverse=True):
        if text == inside or text.startswith(f"{inside}/"):
            return str(places[inside]) + text[len(inside) :]
    return text
