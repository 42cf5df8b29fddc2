"""Tokens by registry origin: in the system's keyring when the extra is installed, else in ``credentials.json``.

``credentials.json`` (0600) is ``{"credentials": "v1", "tokens": {ORIGIN: TOKEN}}``. A token never travels in argv
or in an address: HTTP gets it as a header, git through ``GIT_CONFIG_*`` variables.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder, write_atomic

SERVICE = "polyphony"
TOKEN = re.compile(r"plyo?_[0-9A-Za-z]{32,64}")


class TokenStore(Protocol):
    """Keeps one token for each origin.

    Contract: ``get`` of an unknown origin is None; ``set`` replaces; ``delete`` of an unknown origin does nothing.
    """

    def get(self, origin: str) -> str | None:
        """The token of an origin."""
        ...

    def set(self, origin: str, token: str) -> None:
        """Keep a token."""
        ...

    def delete(self, origin: str) -> None:
        """Forget a token."""
        ...


class FileTokens:
    """``credentials.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, origin: str) -> str | None:
        """The token of an origin; PLY6401 when others may read the file, PLY6402 when it is broken."""
        return self._read().get(origin)

    def set(self, origin: str, token: str) -> None:
        """Keep a token."""
        self._write({**self._read(), origin: token})

    def delete(self, origin: str) -> None:
        """Forget a token."""
        tokens = self._read()
        if tokens.pop(origin, None) is not None:
            self._write(tokens)

    def _read(self) -> dict[str, str]:
        try:
            mode = self.path.stat().st_mode
            document = json.loads(self.path.read_bytes())
            tokens = document["tokens"]
            if document.get("credentials") != "v1" or not isinstance(tokens, Mapping):
                raise ValueError("expected credentials: v1 with tokens")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClientError(
                "PLY6402", f"{self.path} cannot be used: {error}", hint="remove it and polyphony login again"
            ) from error
        if mode & 0o077:
            raise ClientError(
                "PLY6401",
                f"others may read {self.path} (mode {mode & 0o777:04o}, expected 0600)",
                hint=f"chmod 600 {self.path}; if others use this machine, have the tokens revoked",
            )
        return {str(origin): str(token) for origin, token in tokens.items()}

    def _write(self, tokens: Mapping[str, str]) -> None:
        private_folder(self.path.parent)
        document = {"credentials": "v1", "tokens": dict(tokens)}
        write_atomic(self.path, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")


class KeyringTokens:
    """The system's keyring, through the ``keyring`` library."""

    def get(self, origin: str) -> str | None:
        """The token of an origin."""
        import keyring

        return keyring.get_password(SERVICE, origin)

    def set(self, origin: str, token: str) -> None:
        """Keep a token."""
        import keyring

        keyring.set_password(SERVICE, origin, token)

    def delete(self, origin: str) -> None:
        """Forget a token."""
        import keyring

        if keyring.get_password(SERVICE, origin) is not None:
            keyring.delete_password(SERVICE, origin)


def token_store(path: Path) -> TokenStore:
    """The keyring when the extra is there and has a usable backend, else the file."""
    try:
        import keyring
    except ImportError:
        return FileTokens(path)
    backend = keyring.get_keyring()
    return KeyringTokens() if getattr(backend, "priority", 0) >= 1 else FileTokens(path)


def check_token(text: str) -> str:
    """A token as it is pasted, without white space around it; PLY6403 for what is none."""
    token = text.strip()
    if not TOKEN.fullmatch(token):
        raise ClientError(
            "PLY6403",
            "that is no token; expected ply_ and 38 letters and digits",
            hint="polyphony registry init and registry user add print one",
        )
    return token


def required_token(store: TokenStore, origin: str, url: str) -> str:
    """The token of an origin; PLY6404 when there is none."""
    token = store.get(origin)
    if token is None:
        raise ClientError("PLY6404", f"there is no token for {origin!r}", hint=f"polyphony login {url}")
    return token


def bearer(token: str) -> dict[str, str]:
    """The header of an API call."""
    return {"Authorization": f"Bearer {token}"}


def git_environment(token: str, url: str) -> dict[str, str]:
    """The variables that give git the token for ``url`` alone (Basic, token as password)."""
    encoded = base64.b64encode(f"token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {encoded}",
    }
