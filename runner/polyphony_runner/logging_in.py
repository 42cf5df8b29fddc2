"""Logging in: try a token at the address it was given for, then keep it under the registry's origin."""

from __future__ import annotations

from polyphony_runner.api import Api
from polyphony_runner.credentials import Credentials, Login
from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.http import Transport
from polyphony_runner.registries.table import Registries
from polyphony_schemas.values import JsonObject


def log_in(home: Home, credentials: Credentials, transport: Transport, url: str, token: str) -> JsonObject:
    """Ask the registry who the token belongs to and keep it; returns the answer of ``whoami``.

    An address that claims the origin of a registry which was added with another log key is refused (PLY6504):
    what is published there would be signed for the other one.
    """
    me = Api(url, transport, token).whoami()
    origin = me.get("registry")
    if not isinstance(origin, str) or not origin:
        raise ClientError("PLY6409", f"{url} does not say which registry it is", hint="check the address")
    for binding in Registries(home).all():
        if binding.origin == origin and me.get("log_key") != binding.log_key:
            raise ClientError(
                "PLY6504",
                f"{url} says it is {origin!r}, which was added with another log key",
                hint="somebody lies, or the registry has a new log key: ask its owner",
            )
    credentials.keep(Login(origin, url, token))
    return me
