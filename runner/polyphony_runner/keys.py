"""Managed signing keys: one PKCS#8 PEM file each, for its owner's eyes alone.

```
keys/NAME.pem    PKCS#8, 0600, encrypted when a passphrase was given
keys/NAME.pub    SubjectPublicKeyInfo PEM, so that listing needs no passphrase
```

``env:VARIABLE`` in place of a name takes the PEM from the environment (CI). The passphrase of an encrypted key is
asked for by a function that the caller hands in.
"""

from __future__ import annotations

import builtins
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder, write_atomic
from polyphony_schemas.trust.keys import KeySigner, PrivateKey

KeyType = Literal["ed25519", "p256"]
# Given a question, the answer; None when there is nobody to ask.
Ask = Callable[[str], str | None]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# The key that signs the heads of this home's journals lies in the same folder; it signs no package.
RUN_KEY = "run"
_ENVIRONMENT = "env:"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be told about a key. ``hint`` is its id in statements and in the log."""

    name: str
    algorithm: str
    hint: str
    encrypted: bool

    def to_json(self) -> dict[str, object]:
        """The object of ``key list --json``."""
        return {"name": self.name, "type": self.algorithm, "id": self.hint, "encrypted": self.encrypted}


class ManagedKeys:
    """The keys in one folder."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environ = environ or {}

    def new(self, name: str, kind: KeyType = "ed25519", passphrase: str | None = None) -> KeyInfo:
        """Draw a new key and keep it; PLY6301 when the name is taken."""
        from polyphony_schemas.trust.keys import derive_private_key

        if kind == "ed25519":
            key = derive_private_key("ed25519", secrets.token_bytes(32))
        else:
            key = derive_private_key("ecdsa-p256", secrets.token_bytes(64))
        return self.keep(name, key, passphrase)

    def keep(self, name: str, key: PrivateKey, passphrase: str | None = None) -> KeyInfo:
        """Write a private key under ``name``; PLY6301 when the name is taken."""
        path = self._path(name)
        if path.exists():
            raise ClientError(
                "PLY6301",
                f"there is a key named {name!r} already",
                hint="choose another name, or use that key",
            )
        private_folder(self.folder)
        write_atomic(path.with_suffix(".pub"), _public_pem(key), mode=0o644)
        write_atomic(path, private_pem(key, passphrase))
        return self.info(name)

    def info(self, name: str) -> KeyInfo:
        """What is known of a key without its passphrase."""
        from cryptography.hazmat.primitives import serialization

        from polyphony_schemas.trust.keys import parse_public_key

        pem = self._read(name)
        try:
            loaded = serialization.load_pem_public_key(self._path(name).with_suffix(".pub").read_bytes())
            der = loaded.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        except (OSError, ValueError) as error:
            raise ClientError(
                "PLY6306",
                f"the public half of the key {name!r} cannot be read: {error}",
                hint="polyphony key export NAME --private, then polyphony key import under another name",
            ) from error
        public = parse_public_key(der)
        return KeyInfo(name, public.algorithm, public.hint, b"ENCRYPTED" in pem)

    def list(self) -> list[KeyInfo]:
        """All keys by name."""
        return [self.info(name) for name in self._names()]

    def signer(self, name: str | None, ask: Ask) -> KeySigner:
        """The signer for a name, for ``env:VARIABLE``, or for None the only key there is.

        Raises PLY6302 (unknown), PLY6303 (others may read the file), PLY6304 (passphrase), PLY6305 (variable
        not set), PLY6307 (None, and there is not exactly one key).
        """
        if name is not None and name.startswith(_ENVIRONMENT):
            return self._from_environment(name.removeprefix(_ENVIRONMENT), ask)
        chosen = name or self._only()
        return KeySigner(load_pem(self._read(chosen), f"the key {chosen!r}", ask))

    def private(self, name: str, ask: Ask) -> PrivateKey:
        """The private key itself, for export."""
        return load_pem(self._read(name), f"the key {name!r}", ask)

    def public_pem(self, name: str) -> bytes:
        """The public half as PEM."""
        self._read(name)
        return self._path(name).with_suffix(".pub").read_bytes()

    def _names(self) -> builtins.list[str]:
        return sorted(path.stem for path in self.folder.glob("*.pem") if path.stem != RUN_KEY)

    def _only(self) -> str:
        names = self._names()
        if len(names) == 1:
            return names[0]
        if not names:
            raise ClientError(
                "PLY6307", "there is no signing key yet", hint="polyphony key new NAME makes one"
            )
        raise ClientError(
            "PLY6307", f"there are several keys ({', '.join(names)})", hint="choose one with --key NAME"
        )

    def _from_environment(self, variable: str, ask: Ask) -> KeySigner:
        pem = self._environ.get(variable)
        if not pem:
            raise ClientError(
                "PLY6305",
                f"the environment variable {variable!r} is not set; a PKCS#8 PEM key was expected there",
                hint="polyphony key export NAME --private prints one",
            )
        return KeySigner(load_pem(pem.encode(), f"the key in {variable!r}", ask))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name == RUN_KEY:
            raise ClientError(
                "PLY6302",
                f"{name!r} is no name of a signing key, expected lower-case letters, digits, - and _, "
                f"other than {RUN_KEY!r}",
                hint="polyphony key list shows the keys there are",
            )
        return self.folder / f"{name}.pem"

    def _read(self, name: str) -> bytes:
        path = self._path(name)
        try:
            mode = path.stat().st_mode
            data = path.read_bytes()
        except FileNotFoundError:
            raise ClientError(
                "PLY6302",
                f"there is no key named {name!r}",
                hint="polyphony key list shows the keys there are",
            ) from None
        if mode & 0o077:
            raise ClientError(
                "PLY6303",
                f"others may read the key file {path} (mode {mode & 0o777:04o}, expected 0600)",
                hint=f"chmod 600 {path}; if others use this machine, make a new key and revoke this one",
            )
        return data


def load_pem(pem: bytes, what: str, ask: Ask) -> PrivateKey:
    """Read a PKCS#8 PEM key, asking for its passphrase when it has one; ``what`` names it in messages."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    from polyphony_schemas.trust.keys import dump_private_key, load_private_key

    if b"ENCRYPTED" not in pem:
        return load_private_key(pem)
    passphrase = ask(f"Passphrase of {what}")
    if not passphrase:
        raise ClientError(
            "PLY6304",
            f"{what} is encrypted, and nobody gave its passphrase",
            hint="answer on a terminal, or set POLYPHONY_KEY_PASSPHRASE",
        )
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ClientError("PLY6304", f"the passphrase does not open {what}", hint="try again") from None
    return load_private_key(dump_private_key(key))  # type: ignore[arg-type]  # checked by the reader it goes through


def private_pem(key: PrivateKey, passphrase: str | None = None) -> bytes:
    """PKCS#8 PEM of a key, encrypted when a passphrase is given."""
    from cryptography.hazmat.primitives import serialization

    how = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def _public_pem(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
