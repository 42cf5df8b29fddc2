"""Reading registries with every bound set: bytes, seconds, minimum rate, no way to another host.

A registry is not trusted to answer, to end, or to hurry. `Transport` keeps connections alive, is safe to use
from several threads, and speaks through `http.client`: nothing heavier is imported.

Bounds hold for the bytes on the wire, headers included, so neither a drip of header bytes nor an endless body
gets past them. A redirect is followed only inside the same scheme, host and port.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urljoin, urlsplit

from polyphony_runner.errors import TransportError
from polyphony_runner.wire import (
    CHUNK,
    Clock,
    Connection,
    Pace,
    Place,
    StaleError,
    connect,
    place_of,
    too_large,
)

MAX_REDIRECTS = 3
HEADER_ALLOWANCE = 64 * 1024

Progress = Callable[[int, int | None], None]


def printable(text: str, longest: int = 500) -> str:
    """What a server said, fit for a terminal: no control characters, not endless."""
    return "".join(one for one in text[:longest] if one.isprintable())


@dataclass(frozen=True, slots=True)
class Response:
    """One whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def problem(self) -> str:
        """What an error answer says about itself: the detail or title of problem+json, else nothing."""
        try:
            document = json.loads(self.body[:CHUNK])
        except (ValueError, RecursionError):
            return ""
        if not isinstance(document, dict):
            return ""
        return printable(str(document.get("detail") or document.get("title") or ""))


class Transport:
    """Bounded HTTP for one process. Close it, or use it in a ``with`` block.

    ``pace`` is the default for downloads. With ``offline`` every request is refused (PLY6107).
    """

    def __init__(self, *, pace: Pace | None = None, offline: bool = False) -> None:
        self.pace = pace or Pace()
        self.offline = offline
        self._idle: dict[Place, list[Connection]] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all kept connections."""
        with self._guard:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def get(
        self,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
        progress: Progress | None = None,
    ) -> Response:
        """Read ``url``, at most ``limit`` bytes of body.

        Statuses outside ``accept`` raise PLY6106 with ``details["status"]``; the other refusals are
        PLY6101 to PLY6108 (see ``docs/errors.md``).
        """
        start = url
        for _ in range(MAX_REDIRECTS + 1):
            response = self.request("GET", url, limit=limit, headers=headers, progress=progress)
            if response.status not in (301, 302, 303, 307, 308):
                return _accepted(response, url, accept)
            url = _redirected(url, response.headers.get("location", ""))
        raise TransportError(
            "PLY6104",
            f"{start} redirects in a circle",
            hint="ask whoever runs the registry to mend its address",
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        progress: Progress | None = None,
    ) -> Response:
        """One request, any status, no redirect followed. Only a GET is tried again on a connection that had died."""
        if self.offline:
            raise TransportError(
                "PLY6107",
                f"{url} is needed, and this call is offline",
                hint="leave out --offline, or install before",
            )
        sent = {"Accept-Encoding": "identity", "User-Agent": "polyphony", **(headers or {})}
        call = _Call(method, url, body, sent, limit, pace or self.pace, progress)
        kept = self._take(place_of(url)) if method == "GET" else None
        if kept is not None:
            try:
                return self._exchange(kept, call, call.clock())
            except StaleError:
                pass
        clock = call.clock()
        try:
            return self._exchange(connect(place_of(url), clock), call, clock)
        except StaleError as error:
            raise TransportError(
                "PLY6105", f"{url} closed the connection without an answer", hint="try again"
            ) from error

    def _exchange(self, connection: Connection, call: _Call, clock: Clock) -> Response:
        connection.clock = clock
        keep = False
        try:
            with _send(connection, call) as answer:
                response = _receive(answer, call)
                keep = not answer.will_close
        except TimeoutError as error:
            raise clock.too_slow() from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise TransportError(
                "PLY6105", f"the answer of {call.url} broke off or is no HTTP: {error}", hint="try again"
            ) from error
        finally:
            if keep:
                with self._guard:
                    self._idle.setdefault(place_of(call.url), []).append(connection)
            else:
                connection.close()
        return response

    def _take(self, place: Place) -> Connection | None:
        with self._guard:
            waiting = self._idle.get(place)
            return waiting.pop() if waiting else None


@dataclass(frozen=True, slots=True)
class _Call:
    """One request with its bounds."""

    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]
    limit: int
    pace: Pace
    progress: Progress | None

    def clock(self) -> Clock:
        return Clock(self.pace, self.limit + HEADER_ALLOWANCE, self.url)


def _send(connection: Connection, call: _Call) -> http.client.HTTPResponse:
    parts = urlsplit(call.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(call.method, target, body=call.body, headers=dict(call.headers))
        return connection.getresponse()
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
        raise StaleError from error


def _receive(answer: http.client.HTTPResponse, call: _Call) -> Response:
    url, limit = call.url, call.limit
    headers = {name.lower(): value for name, value in answer.getheaders()}
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise TransportError(
            "PLY6108",
            f"{url} answered with the encoding {encoding!r}, asked for was none",
            hint="a proxy on the way changes answers; choose another address with --registry",
        )
    declared = answer.length
    if declared is not None and declared > limit:
        raise too_large(url, limit)
    body = bytearray()
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > limit:
            raise too_large(url, limit)
        if call.progress is not None:
            call.progress(len(body), declared)
    if declared is not None and len(body) != declared:
        raise TransportError(
            "PLY6105", f"{url} broke off after {len(body)} of {declared} bytes", hint="try again"
        )
    return Response(answer.status, headers, bytes(body))


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if not location or place_of(target) != place_of(url):
        raise TransportError(
            "PLY6104",
            f"{url} sends us to {location or 'nowhere'!r}, another server; a registry answers itself",
            hint="if the registry has moved, add its new address with polyphony registry add",
        )
    return target


def _accepted(response: Response, url: str, accept: tuple[int, ...]) -> Response:
    if response.status in accept:
        return response
    said = response.problem()
    raise TransportError(
        "PLY6106",
        f"{url} answered {response.status}{f': {said}' if said else ''}",
        hint="try again later"
        if response.status >= 500
        else "check the name and the address of the registry",
        details={"status": response.status},
    )
