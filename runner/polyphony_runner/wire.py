"""A socket that is read under a clock: bytes, seconds and minimum rate of one answer.

`http.client` sits on top and knows nothing of it. The clock is asked before every receive, so headers count too.
"""

from __future__ import annotations

import base64
import http.client
import io
import re
import socket
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from polyphony_runner.errors import TransportError

CHUNK = 64 * 1024

# An address that lacks nothing but its scheme.
_BARE_ADDRESS = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s]*)?")

# scheme, host, port
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one answer may take: ``seconds`` in all, and after ``grace`` seconds at least ``rate`` bytes/s."""

    seconds: float = 60.0
    rate: int = 1024
    grace: float = 5.0


class StaleError(Exception):
    """The server had closed a connection before it answered."""


class Clock:
    """Counts the bytes and seconds of one answer."""

    def __init__(self, pace: Pace, limit: int, url: str) -> None:
        self.pace, self.limit, self.url = pace, limit, url
        self.started = time.monotonic()
        self.received = 0

    def remaining(self) -> float:
        """Seconds until the next check; raises PLY6103 when time is up or the rate too low."""
        elapsed = time.monotonic() - self.started
        left = self.pace.seconds - elapsed
        if left <= 0:
            raise self.too_slow()
        if not self.pace.rate:
            return left
        if elapsed > self.pace.grace and self.received < self.pace.rate * elapsed:
            raise self.too_slow()
        due = max(self.pace.grace, self.received / self.pace.rate) - elapsed
        return min(left, max(due, 0.0) + 0.05)

    def count(self, size: int) -> None:
        """Note bytes that came in; raises PLY6102 past the limit."""
        self.received += size
        if self.received > self.limit:
            raise too_large(self.url, self.limit)

    def too_slow(self) -> TransportError:
        """The refusal of an answer that takes too long."""
        elapsed = time.monotonic() - self.started
        return TransportError(
            "PLY6103",
            f"{self.url} sent {self.received} bytes in {elapsed:.1f} s; expected at least {self.pace.rate} bytes/s "
            f"and an end within {self.pace.seconds:g} s",
            hint="try again later, or choose another address of the same registry with --registry",
        )


class _Reader(io.RawIOBase):
    """The receiving end of a connection, under its clock."""

    def __init__(self, connection: Connection, raw: socket.SocketIO, sock: socket.socket) -> None:
        super().__init__()
        self._connection, self._raw, self._sock = connection, raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # Buffer is 3.12
        clock = self._connection.clock
        while True:
            self._sock.settimeout(clock.remaining())
            try:
                got = self._sock.recv_into(buffer)
            except TimeoutError:
                continue
            clock.count(got)
            return got

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Socket:
    """What ``http.client`` needs of a socket, with reading under the clock."""

    def __init__(self, connection: Connection, sock: socket.socket) -> None:
        self._connection, self._sock = connection, sock

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._connection.clock.pace.seconds)
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_Reader(self._connection, raw, self._sock), CHUNK)

    def close(self) -> None:
        self._sock.close()


class Connection(http.client.HTTPConnection):
    """An open connection; ``clock`` belongs to the request in flight."""

    clock: Clock

    def adopt(self, sock: socket.socket) -> None:
        """Use an open socket; ``http.client`` needs its sendall, makefile and close alone."""
        self.sock = _Socket(self, sock)


def too_large(url: str, limit: int) -> TransportError:
    """The refusal of an answer that does not end in time."""
    return TransportError(
        "PLY6102",
        f"{url} sent more than the {limit} bytes that such an answer may have",
        hint="this registry or mirror cannot be trusted to answer; choose another address with --registry",
    )


def place_of(url: str) -> Place:
    """Scheme, host and port of an http(s) address, else PLY6101."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TransportError(
            "PLY6101",
            f"{url!r} is no http(s) address",
            hint=f"did you mean '{_likely_scheme(url)}://{url}'?"
            if _BARE_ADDRESS.fullmatch(url)
            else "give a URL like https://registry.example",
        )
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def connect(place: Place, clock: Clock) -> Connection:
    """Open a connection, with TLS where the scheme says so; PLY6101 when that fails."""
    scheme, host, port = place
    try:
        sock = _tunnel(scheme, host, port, clock)
        if scheme == "https":
            import ssl

            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    except OSError as error:
        raise TransportError(
            "PLY6101",
            f"{scheme}://{host}:{port} cannot be reached: {_reason(error)}",
            hint="polyphony registry serve starts a registry on this machine; is it running, and on that port?"
            if is_loopback(host)
            else "check the address and the network; --registry names another address of the same registry",
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(host, port)
    connection.clock = clock
    connection.adopt(sock)
    return connection


def _likely_scheme(address: str) -> str:
    return "http" if is_loopback(address.partition("/")[0].partition(":")[0]) else "https"


def _reason(error: OSError) -> str:
    """What went wrong, without the number that the machine gives it."""
    if isinstance(error, socket.gaierror):
        return "no address is known for that name"
    return (error.strerror or str(error)).lower() if isinstance(error, ConnectionError) else str(error)


def _tunnel(scheme: str, host: str, port: int, clock: Clock) -> socket.socket:
    """A socket to the server: direct, or by CONNECT through the proxy that the machine names for that scheme."""
    from urllib.request import getproxies, proxy_bypass

    proxy = None if is_loopback(host) else getproxies().get(scheme)
    if not proxy or proxy_bypass(f"{host}:{port}"):
        return socket.create_connection((host, port), timeout=clock.pace.seconds)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    by = http.client.HTTPConnection(parts.hostname or "", parts.port or 3128, timeout=clock.pace.seconds)
    by.set_tunnel(host, port, headers=_proxy_credentials(parts.username, parts.password))
    by.connect()
    return by.sock


def _proxy_credentials(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    words = f"{unquote(user)}:{unquote(password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(words.encode()).decode()}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: by name, or by an address written out. ``127.example`` is a name of anybody's."""
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
