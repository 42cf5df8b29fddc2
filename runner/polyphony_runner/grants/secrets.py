"""Looking granted secrets up: what ``polyphony secret set`` keeps, the environment variable of that name, ``config.yaml``.

Inside they are files, ``/tmp/.secrets/NAME``. A name nobody has a value for is left out: an extension may need one
of several keys, and only it can tell; the log says which were missing. A process that has looked up a secret leaves no
core dump any more.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from polyphony_runner.home import Home
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.secret_store import LONGEST, NAME, SHORTEST, Ask, SecretStore

FOLDER = "/tmp/.secrets"  # noqa: S108  # inside the sandbox
_NO_DUMP = 1  # as in sandbox.limits: 0 still feeds a core_pattern that is a pipe, 1 does not


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values that were found, by name, and the names that were not."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, str]:
        """Where each one is inside."""
        return {name: f"{FOLDER}/{name}" for name in self.values}


def _nothing() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where secrets come from, in this order: ``store``, ``environment``, ``configured`` (read when it is needed)."""

    store: SecretStore | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    configured: Callable[[], Mapping[str, str]] = _nothing

    @classmethod
    def of(cls, home: Home, ask: Ask = lambda _question: None) -> SecretSource:
        """The secrets of a home; ``ask`` is for a passphrase."""
        from polyphony_runner.credentials import system_keyring
        from polyphony_runner.settings import configured_secrets

        store = SecretStore(home.root, ask=ask)
        if store.path.is_file():
            store.keyring = system_keyring()
        return cls(store, configured=lambda: configured_secrets(home))

    def look_up(self, names: tuple[str, ...]) -> Secrets:
        """Values of granted names. NodeError PLY3407 for a name or length that cannot be used."""
        found: dict[str, bytes] = {}
        missing: list[str] = []
        for name in names:
            if not NAME.fullmatch(name):
                raise NodeError("permission", "PLY3407", f"{name!r} is no name of a secret")
            value = self._value(name)
            if not value:
                missing.append(name)
                continue
            if len(value.strip()) < SHORTEST or len(value) > LONGEST:
                raise NodeError(
                    "configuration",
                    "PLY3408",
                    f"the secret {name!r} has {len(value.strip())} bytes, expected {SHORTEST} to {LONGEST}",
                    hint="shorter values cannot be masked in logs and results",
                )
            found[name] = value
        if found:
            leave_no_core_dump()
        return Secrets(found, tuple(missing))

    def _value(self, name: str) -> bytes | None:
        stored = self.store.get(name) if self.store is not None else None
        if stored:
            return stored
        text = self.environment.get(name) or self.configured().get(name, "")
        return text.encode("utf-8", "surrogateescape")


def leave_no_core_dump() -> None:
    """From here on this process holds what a dump of its memory would show."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY and hard < _NO_DUMP:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (_NO_DUMP, hard))
