"""POLYPHONY_HOME: one folder with everything this user's Polyphony keeps (docs/install.md).

```
config.yaml  keys/  credentials.json  registries/<origin>/{binding.yaml,note}  store/<tree>/
envs/<digest>/  artifacts/  cache/  runs/<run>/  locks/  melody.lock
```

Every folder is 0700. ``cache/`` may be deleted at any time; nothing that verification relies on lies there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder


@dataclass(frozen=True, slots=True)
class Home:
    """The places inside one home. The folders appear when something is first written to them."""

    root: Path

    @classmethod
    def at(cls, path: Path | None = None) -> Home:
        """The home at ``path``, else the platform's data folder; made with mode 0700 when missing.

        A home that others may write to is refused (PLY6001): they could exchange keys and bindings.
        """
        root = (path or default_home()).expanduser().absolute()
        try:
            private_folder(root)
            mode = root.stat().st_mode
        except OSError as error:
            raise ClientError(
                "PLY6002",
                f"the home {str(root)!r} cannot be used: {error.strerror or error}",
                hint="choose another folder with --home or POLYPHONY_HOME",
            ) from error
        if mode & 0o022:
            raise ClientError(
                "PLY6001",
                f"others may write to the home {str(root)!r} (mode {mode & 0o777:04o}, expected 0700)",
                hint=f"chmod 700 {root}",
            )
        return cls(root)

    @property
    def config(self) -> Path:
        """``config.yaml``, the user's settings."""
        return self.root / "config.yaml"

    @property
    def keys(self) -> Path:
        """Folder of managed signing keys."""
        return self.root / "keys"

    @property
    def credentials(self) -> Path:
        """``credentials.json``, tokens by registry origin where no keyring holds them."""
        return self.root / "credentials.json"

    @property
    def registries(self) -> Path:
        """Folder of bindings and remembered checkpoints."""
        return self.root / "registries"

    def registry(self, origin: str) -> Path:
        """Folder of one registry; the origin is percent-encoded, so it is always one path segment."""
        name = quote(origin, safe="")
        return self.registries / (f"%2E{name[1:]}" if name.startswith(".") else name)

    @property
    def store(self) -> Path:
        """Folder of verified trees by id."""
        return self.root / "store"

    @property
    def environments(self) -> Path:
        """Folder of tool environments by digest."""
        return self.root / "envs"

    @property
    def artifacts(self) -> Path:
        """Folder of content-addressed artifacts."""
        return self.root / "artifacts"

    @property
    def cache(self) -> Path:
        """What may be deleted at any time."""
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.root / "runs"

    @property
    def locks(self) -> Path:
        """Locks that runs hold against each other."""
        return self.root / "locks"

    @property
    def lock(self) -> Path:
        """The global ``melody.lock``."""
        return self.root / "melody.lock"


def default_home() -> Path:
    """The platform's data folder for Polyphony, unless ``POLYPHONY_HOME`` names another."""
    named = os.environ.get("POLYPHONY_HOME")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("polyphony", appauthor=False)
