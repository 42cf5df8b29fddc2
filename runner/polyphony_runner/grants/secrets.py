"""Looking granted secrets up: what ``polyphony secret set`` keeps, then the environment variable of that name.

Inside they are files, ``/tmp/.secrets/NAME``. A name nobody has a value for is left out: an extension may need one
of several keys, and only it can tell; the log says which were missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.grants.safe_files import open_folder, open_regular, opened
from polyphony_runner.runtimes.failures import NodeError

FOLDER = "/tmp/.secrets"  # noqa: S108  # inside the sandbox
SHORTEST = 6  # shorter ones cannot be masked without masking everything
_LONGEST = 64 << 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values that were found, by name, and the names that were not."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, str]:
        """Where each one is inside."""
        return {name: f"{FOLDER}/{name}" for name in self.values}


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where secrets come from. ``folder`` holds one private file per name; it need not exist."""

    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def look_up(self, names: tuple[str, ...]) -> Secrets:
        """Values of granted names. NodeError PLY3407 for a name or length that cannot be used."""
        found: dict[str, bytes] = {}
        missing: list[str] = []
        for name in names:
            if not _NAME.fullmatch(name):
                raise NodeError("permission", "PLY3407", f"{name!r} is no name of a secret")
            value = self._stored(name) or self.environment.get(name, "").encode("utf-8", "surrogateescape")
            if not value:
                missing.append(name)
                continue
            if len(value.strip()) < SHORTEST or len(value) > _LONGEST:
                raise NodeError(
                    "configuration",
                    "PLY3408",
                    f"the secret {name!r} has {len(value.strip())} bytes, expected {SHORTEST} to {_LONGEST}",
                    hint="shorter values cannot be masked in logs and results",
                )
            found[name] = value
        return Secrets(found, tuple(missing))

    def _stored(self, name: str) -> bytes | None:
        if self.folder is None or not (self.folder / name).is_file():
            return None
        with (
            opened(open_folder(self.folder)) as folder,
            os.fdopen(open_regular(folder, name), "rb") as stream,
        ):
            return stream.read(_LONGEST + 1)
