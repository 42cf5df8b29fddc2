"""What ``polyphony secret`` keeps: in the system's keyring where there is one, else encrypted in ``secrets.json``.

``secrets.json`` (0600)::

    {"secrets": "v1", "key": {"kind": "file", "check": BOX}, "entries": {NAME: {"box": BOX} | {"keyring": true}}}

Names can be read, values cannot. The key is ``secrets.key`` beside the file (0600), or of kind ``passphrase``, with the
parameters of scrypt; ``check`` is an empty box that tells a wrong key from a damaged entry. ``key`` is absent while all
values are in the keyring, which has no list of its own: so the names stand here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner import secret_box
from polyphony_runner.credentials import Keyring
from polyphony_runner.errors import ClientError
from polyphony_runner.files import exclusive, private_folder, write_atomic
from polyphony_schemas.values import JsonValue

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
SHORTEST = 6  # shorter ones cannot be masked without masking everything
LONGEST = 64 << 10
PASSPHRASE_VARIABLE = "POLYPHONY_SECRETS_PASSPHRASE"  # noqa: S105 -- the name of a variable
SERVICE = "polyphony-secret"
_CHECK = "\0check"  # no secret can have this name

# Asks for a passphrase; None when there is nobody to ask.
Ask = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """One name, and where its value is: ``keyring`` or ``file``."""

    name: str
    place: str


@dataclass(slots=True)
class SecretStore:
    """The secrets of one home. ``ask`` is for the passphrase of a store that has one; it is asked once."""

    folder: Path
    keyring: Keyring | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    ask: Ask = lambda _question: None
    _key: bytes | None = None

    @property
    def path(self) -> Path:
        """``secrets.json``."""
        return self.folder / "secrets.json"

    @property
    def key_path(self) -> Path:
        """``secrets.key``."""
        return self.folder / "secrets.key"

    @property
    def locked(self) -> bool:
        """Whether values can only be read with a passphrase that nobody has given yet."""
        key = self._read().get("key")
        return self._key is None and isinstance(key, Mapping) and key["kind"] == "passphrase"

    def names(self) -> list[KeptSecret]:
        """All names, sorted. PLY3710 when others may read the file, PLY3711 when it is broken."""
        return [
            KeptSecret(name, "file" if "box" in entry else "keyring")
            for name, entry in sorted(_entries(self._read()).items())
        ]

    def get(self, name: str) -> bytes | None:
        """The value of a name, None when there is none; PLY3711, PLY3712 (passphrase), PLY3714 (keyring)."""
        document = self._read()
        entry = _entries(document).get(name)
        if entry is None:
            return None
        if "box" not in entry:
            return self._from_keyring(name)
        value = secret_box.open_box(self._unlocked(document), name, str(entry["box"]))
        if value is None:
            raise self._broken(f"the entry {name!r} does not open")
        return value

    def unlock(self) -> None:
        """Ask for the passphrase now, where one is needed; PLY3712."""
        document = self._read()
        if "key" in document:
            self._unlocked(document)

    def set(self, name: str, value: bytes, *, passphrase: bool = False) -> KeptSecret:
        """Keep a value, replacing an older one; ``passphrase`` protects a store that is new. PLY3407, PLY3408."""
        check_secret(name, value)
        with exclusive(private_folder(self.folder) / ".secrets.lock"):
            document = self._read()
            entries = dict(_entries(document))
            if self.keyring is not None and not passphrase:
                self._to_keyring(name, value)
                entries[name] = {"keyring": True}
            else:
                if "key" not in document:
                    document = {**document, "key": self._new_key(passphrase=passphrase)}
                elif passphrase and not self._is_passphrase(document):
                    raise ClientError(
                        "PLY3712",
                        f"{self.path} has its key in a file already, and --passphrase was given",
                        hint="polyphony secret rm its names first, or leave --passphrase out",
                    )
                entries[name] = {"box": secret_box.seal(self._unlocked(document), name, value)}
            self._write({**document, "entries": entries})
        return KeptSecret(name, "keyring" if "keyring" in entries[name] else "file")

    def remove(self, name: str) -> None:
        """Forget a name and its value; PLY3713 when there is none."""
        with exclusive(private_folder(self.folder) / ".secrets.lock"):
            document = self._read()
            entries = dict(_entries(document))
            if name not in entries:
                raise ClientError(
                    "PLY3713",
                    f"there is no secret {name!r} here",
                    hint="polyphony secret list shows the names there are",
                )
            if "keyring" in entries.pop(name) and self.keyring is not None:
                self._forget(name)
            if not any("box" in entry for entry in entries.values()):
                document = {part: value for part, value in document.items() if part != "key"}
                self._key = None
            self._write({**document, "entries": entries})

    def _unlocked(self, document: Mapping[str, JsonValue]) -> bytes:
        if self._key is None:
            key = document["key"]
            assert isinstance(key, Mapping)  # noqa: S101  # _read looked
            found = self._passphrase_key(key) if key["kind"] == "passphrase" else self._file_key()
            if secret_box.open_box(found, _CHECK, str(key["check"])) is None:
                if key["kind"] == "passphrase":
                    raise ClientError("PLY3712", "the passphrase does not open the secrets", hint="try again")
                raise self._broken(f"{self.key_path.name} is not its key")
            self._key = found
        return self._key

    def _passphrase_key(self, key: Mapping[str, JsonValue]) -> bytes:
        try:
            stretching = secret_box.Stretching.read(key)
            return stretching.key(self._passphrase("Passphrase of the secrets"))
        except (KeyError, ValueError) as error:
            raise self._broken(str(error)) from error

    def _passphrase(self, question: str) -> str:
        given = self.environment.get(PASSPHRASE_VARIABLE) or self.ask(question)
        if not given:
            raise ClientError(
                "PLY3712",
                "the secrets are protected by a passphrase, and nobody gave it",
                hint=f"answer on a terminal, or set {PASSPHRASE_VARIABLE}",
            )
        return given

    def _file_key(self) -> bytes:
        try:
            _check_private(self.key_path)
            found = self.key_path.read_bytes()
        except OSError as error:
            raise self._broken(f"its key {self.key_path.name} cannot be read: {error.strerror}") from error
        if len(found) != secret_box.KEY_BYTES:
            raise self._broken(f"its key {self.key_path.name} has {len(found)} bytes")
        return found

    def _new_key(self, *, passphrase: bool) -> dict[str, JsonValue]:
        described: dict[str, JsonValue]
        if passphrase:
            stretching = secret_box.Stretching.fresh()
            given = self._passphrase("Passphrase for the new store of secrets")
            if not self.environment.get(PASSPHRASE_VARIABLE) and self.ask("The same again") != given:
                raise ClientError("PLY3712", "the two passphrases differ", hint="try again; nothing was kept")
            self._key = stretching.key(given)
            described = {"kind": "passphrase", **stretching.to_json()}
        else:
            self._key = os.urandom(secret_box.KEY_BYTES)
            write_atomic(self.key_path, self._key)
            described = {"kind": "file"}
        return {**described, "check": secret_box.seal(self._key, _CHECK, b"")}

    def _is_passphrase(self, document: Mapping[str, JsonValue]) -> bool:
        key = document.get("key")
        return isinstance(key, Mapping) and key["kind"] == "passphrase"

    def _from_keyring(self, name: str) -> bytes | None:
        if self.keyring is None:
            raise _keyring_failed("the system's keyring holds the value, and it is not here any more")
        try:
            found = self.keyring.get_password(SERVICE, self._keyring_name(name))
        except Exception as error:  # backends raise what they like
            raise _keyring_failed(f"{type(error).__name__}") from error
        return None if found is None else found.encode("utf-8", "surrogateescape")

    def _to_keyring(self, name: str, value: bytes) -> None:
        assert self.keyring is not None  # noqa: S101  # the caller looked
        try:
            text = value.decode("utf-8", "surrogateescape")
            self.keyring.set_password(SERVICE, self._keyring_name(name), text)
        except Exception as error:  # backends raise what they like
            raise _keyring_failed(f"{type(error).__name__}") from error

    def _forget(self, name: str) -> None:
        assert self.keyring is not None  # noqa: S101  # the caller looked
        try:
            self.keyring.delete_password(SERVICE, self._keyring_name(name))
        except Exception as error:  # backends raise what they like
            raise _keyring_failed(f"{type(error).__name__}") from error

    def _keyring_name(self, name: str) -> str:
        """Two homes of one user do not share their secrets."""
        return f"{self.folder}:{name}"

    def _write(self, document: Mapping[str, JsonValue]) -> None:
        write_atomic(self.path, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")

    def _read(self) -> dict[str, JsonValue]:
        try:
            data = self.path.read_bytes()
            _check_private(self.path)
        except FileNotFoundError:
            return {"secrets": "v1", "entries": {}}
        except OSError as error:
            raise self._broken(str(error.strerror)) from error
        try:
            document = json.loads(data)
            key = document.get("key", {"kind": "file", "check": ""})
            good = (
                document["secrets"] == "v1"
                and key["kind"] in ("file", "passphrase")
                and isinstance(key["check"], str)
                and all(
                    NAME.fullmatch(name)
                    and (
                        (isinstance(entry.get("box"), str) and "key" in document)
                        or entry == {"keyring": True}
                    )
                    for name, entry in document["entries"].items()
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._broken(f"{type(error).__name__}") from error
        if not good:
            raise self._broken("it is no secrets: v1")
        return dict(document)

    def _broken(self, why: str) -> ClientError:
        return ClientError(
            "PLY3711",
            f"the secrets in {str(self.path)!r} cannot be used: {why}",
            hint="restore the file and its key from a copy, or remove it and set the secrets again",
        )


def check_secret(name: str, value: bytes) -> None:
    """PLY3407 for a name, PLY3408 for a length that cannot be used."""
    if not NAME.fullmatch(name):
        raise ClientError(
            "PLY3407",
            f"{name!r} is no name of a secret",
            hint="letters, digits and _, not beginning with a digit",
        )
    if len(value.strip()) < SHORTEST or len(value) > LONGEST:
        raise ClientError(
            "PLY3408",
            f"the secret {name!r} has {len(value.strip())} bytes, expected {SHORTEST} to {LONGEST}",
            hint="shorter values cannot be masked in logs and results",
        )


def _entries(document: Mapping[str, JsonValue]) -> Mapping[str, Mapping[str, JsonValue]]:
    found = document["entries"]
    return found if isinstance(found, Mapping) else {}  # type: ignore[return-value]  # _read looked at each


def _check_private(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & 0o077:
        raise ClientError(
            "PLY3710",
            f"others may read {path} (mode {mode & 0o777:04o}, expected 0600)",
            hint=f"chmod 600 {path}; if others use this machine, replace what it holds",
        )


def _keyring_failed(why: str) -> ClientError:
    return ClientError(
        "PLY3714",
        f"the system's keyring did not answer: {why}",
        hint="unlock it, or set the secret anew without the keyring extra",
    )
