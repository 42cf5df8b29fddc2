"""The log's private key: one PEM file, readable by its owner only."""

from __future__ import annotations

import os
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from polyphony_registry.errors import SetupError
from polyphony_registry.settings import Settings
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.keys import dump_private_key, load_private_key
from polyphony_schemas.trust.notes import NoteSigner


def make_log_key(settings: Settings) -> NoteSigner:
    """Make the key and write it (0600). Raises FileExistsError rather than replace one."""
    key = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
    settings.log_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(settings.log_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(dump_private_key(key))
        file.flush()
        os.fsync(file.fileno())
    return NoteSigner(settings.log_origin, key)


def load_log_key(settings: Settings) -> NoteSigner:
    """The signer of the log's checkpoints. Raises SetupError when the file is missing or no Ed25519 key."""
    try:
        key = load_private_key(settings.log_key.read_bytes())
    except FileNotFoundError:
        raise SetupError(
            "PLY4008", f"the log key {str(settings.log_key)!r} is missing", hint="restore it from the backup"
        ) from None
    except FormatError as error:
        raise SetupError(
            "PLY4008", f"{str(settings.log_key)!r}: {error.message}", hint="restore it from the backup"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError("PLY4008", "the log key is no Ed25519 key", hint="restore it from the backup")
    return NoteSigner(settings.log_origin, key)
