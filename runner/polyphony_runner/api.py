"""The registry's API as a client calls it: who am I, publish a version, search, look at a package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlencode

from polyphony_runner.credentials import Login, bearer
from polyphony_runner.errors import ClientError, TransportError
from polyphony_runner.http import Response, Transport, printable
from polyphony_runner.wire import Pace
from polyphony_schemas.values import JsonObject, JsonValue

_CODE = re.compile(r"PLY[0-9]{4}")
MAX_ANSWER = 8 * 1024 * 1024
# A registry checks a whole package before it answers.
PUBLISH_PACE = Pace(seconds=300.0, rate=0)


class Api:
    """One registry's API at one address, with or without a token."""

    def __init__(self, url: str, transport: Transport, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._transport = transport
        self._headers = bearer(token) if token else {}

    @classmethod
    def of(cls, login: Login, transport: Transport) -> Api:
        """The API as the person who logged in."""
        return cls(login.url, transport, login.token)

    def whoami(self) -> JsonObject:
        """Account, namespaces, scopes, registry origin and log key; PLY6406 when the token is refused."""
        return self._call("GET", "whoami")

    def search(self, words: str, limit: int, filters: Mapping[str, str]) -> JsonObject:
        """Packages that match."""
        return self._call("GET", "search?" + urlencode({"q": words, "limit": limit, **filters}))

    def package(self, name: str) -> JsonObject:
        """A package with its versions; PLY6407 when the registry does not know it."""
        return self._call("GET", f"packages/{quote(name)}")

    def publish(self, name: str, body: Mapping[str, JsonValue]) -> JsonObject:
        """Register a version whose commit was pushed to staging."""
        return self._call("POST", f"packages/{quote(name)}/versions", body)

    def _call(self, method: str, path: str, body: Mapping[str, JsonValue] | None = None) -> JsonObject:
        url = f"{self.url}/api/v1/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        pace = PUBLISH_PACE if method == "POST" else None
        answer = self._transport.request(method, url, limit=MAX_ANSWER, body=data, headers=headers, pace=pace)
        if answer.status not in (200, 201):
            raise _refusal(url, answer)
        return _object(url, answer.body)


def _object(url: str, body: bytes) -> JsonObject:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TransportError(
            "PLY6105", f"{url} answered with something that is no JSON object", hint="check the address"
        )
    return cast("JsonObject", value)


def _refusal(url: str, answer: Response) -> ClientError:
    """What the registry said, with its own code where it gave one."""
    try:
        problem = json.loads(answer.body)
    except (ValueError, RecursionError):
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    said = answer.problem() or f"{url} answered {answer.status}"
    code, hint = problem.get("code"), printable(str(problem.get("hint") or ""))
    details = problem.get("details")
    known = {"status": answer.status, **(details if isinstance(details, dict) else {})}
    if isinstance(code, str) and _CODE.fullmatch(code):
        return ClientError(code, said, hint=hint, details=known)
    if answer.status in (401, 403):
        return ClientError(
            "PLY6406", said, hint=f"polyphony login {url.split('/api/', maxsplit=1)[0]}", details=known
        )
    if answer.status == 404:
        if not answer.problem():
            return ClientError(
                "PLY6407",
                f"{said}: no Polyphony registry is served there",
                hint="check the address and the port; polyphony registry serve prints those it serves",
                details=known,
            )
        return ClientError("PLY6407", said, hint="polyphony search WORD finds names", details=known)
    return ClientError("PLY6106", said, hint=hint or "try again later", details=known)
