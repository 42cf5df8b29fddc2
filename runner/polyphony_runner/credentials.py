"""Logins by registry origin: the token in the system's keyring when the extra is installed, else in the file.

``credentials.json`` (0600)::

    {"credentials": "v1", "logins": {ORIGIN: {"url": URL, "token": TOKEN}}}

``token`` is absent where the keyring holds it. A token never travels in argv or in an address: HTTP gets it as a
header, git through ``GIT_CONFIG_*`` variables.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from polyphony_runner.errors import ClientError
from polyphony_runner.files import exclusive, private_folder, write_atomic

SERVICE = "polyphony"
_TOKEN = re.compile(r"plyo?_[0-9A-Za-z]{32,64}")


@dataclass(frozen=True, slots=True)
class Login:
    """A registry that was logged in to: where, and as whom."""

    origin: str
    url: str
    token: str


class Keyring(Protocol):
    """The part of the ``keyring`` library that is used; unknown names give None."""

    def get_password(self, service: str, name: str, /) -> str | None:
        """The secret kept under a name."""
        ...

    def set_password(self, service: str, name: str, secret: str, /) -> None:
        """Keep a secret."""
        ...

    def delete_password(self, service: str, name: str, /) -> None:
        """Forget a secret."""
        ...


class Credentials:
    """The logins of one home."""

    def __init__(self, path: Path, keyring: Keyring | None = None) -> None:
        self.path = path
        self._keyring = keyring

    def logins(self) -> list[Login]:
        """All logins, by origin. PLY6401 when others may read the file, PLY6402 when it is broken."""
        found = []
        for origin, entry in sorted(self._read().items()):
            token = entry.get("token") or (self._keyring and self._keyring.get_password(SERVICE, origin))
            if token:
                found.append(Login(origin, entry["url"], token))
        return found

    def keep(self, login: Login) -> None:
        """Keep a login, replacing the one of the same origin."""
        with exclusive(private_folder(self.path.parent) / ".credentials.lock"):
            entry = {"url": login.url}
            if self._keyring is not None:
                self._keyring.set_password(SERVICE, login.origin, login.token)
            else:
                entry["token"] = login.token
            document = {"credentials": "v1", "logins": {**self._read(), login.origin: entry}}
            write_atomic(self.path, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")

    def choose(self, wanted: str | None) -> Login:
        """The login for an origin or address, or for None the only one there is; PLY6404, PLY6405."""
        logins = self.logins()
        if wanted is not None:
            for login in logins:
                if wanted.rstrip("/") in (login.origin, login.url):
                    return login
            raise ClientError(
                "PLY6404", f"nobody is logged in to {wanted!r}", hint=f"polyphony login {wanted}"
            )
        if len(logins) == 1:
            return logins[0]
        if not logins:
            raise ClientError("PLY6404", "nobody is logged in to a registry", hint="polyphony login URL")
        raise ClientError(
            "PLY6405",
            f"there are logins for several registries: {', '.join(login.origin for login in logins)}",
            hint="choose one with polyphony --registry URL",
        )

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            mode = self.path.stat().st_mode
            document = json.loads(self.path.read_bytes())
            if document.get("credentials") != "v1":
                raise ValueError("expected credentials: v1")
            logins = {
                str(origin): {
                    "url": str(entry["url"]),
                    **({"token": entry["token"]} if "token" in entry else {}),
                }
                for origin, entry in document["logins"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClientError(
                "PLY6402", f"{self.path} cannot be used: {error}", hint="remove it and polyphony login again"
            ) from error
        if mode & 0o077:
            raise ClientError(
                "PLY6401",
                f"others may read {self.path} (mode {mode & 0o777:04o}, expected 0600)",
                hint=f"chmod 600 {self.path}; if others use this machine, have the tokens revoked",
            )
        return logins


def system_keyring() -> Keyring | None:
    """The system's keyring when the extra is there and has a backend that keeps secrets, else None."""
    try:
        import keyring
    except ImportError:
        return None
    return keyring if getattr(keyring.get_keyring(), "priority", 0) >= 1 else None


def check_token(text: str) -> str:
    """A token as it is pasted, without white space around it; PLY6403 for what is none."""
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise ClientError(
            "PLY6403",
            "that is no token; expected ply_ and 38 letters and digits",
            hint="polyphony registry init and polyphony registry user add print one",
        )
    return token


def bearer(token: str) -> Mapping[str, str]:
    """The header of an API call."""
    return {"Authorization": f"Bearer {token}"}


def git_environment(login: Login) -> dict[str, str]:
    """The variables that give git the token for this registry alone (Basic, token as password)."""
    encoded = base64.b64encode(f"token:{login.token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{login.url}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {encoded}",
    }
