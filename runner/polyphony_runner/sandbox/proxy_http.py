"""The few bytes of HTTP that the proxy understands: the head of a request, and its own refusals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from polyphony_runner.sandbox.endpoints import grant_text, normal_host, split_port
from polyphony_runner.sandbox.errors import SandboxError

HEAD_BYTES = 8 << 10
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")
METHOD = re.compile(r"[A-Z]{1,16}")
DROPPED = ("host", "connection", "proxy-connection", "proxy-authorization", "keep-alive", "upgrade")


@dataclass(frozen=True, slots=True)
class Request:
    """Where a program wants to go. ``plain``: an absolute-form http:// request, else CONNECT."""

    host: str
    port: int
    plain: bool
    method: str = "CONNECT"
    path: str = ""
    headers: tuple[str, ...] = ()

    def origin_head(self, absolute: bool, further: Sequence[str] = ()) -> bytes:
        """The head to send on: Host is the grant's, and one request per connection.

        ``absolute`` keeps the full address, for a further proxy; ``further`` are header lines for it.
        """
        host = grant_text(self.host, self.port)
        target = f"http://{host}{self.path}" if absolute else self.path
        first = (f"{self.method} {target} HTTP/1.1", f"Host: {host}", *further)
        lines = (*first, *self.headers, "Connection: close")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def parse(head: bytes) -> Request | str:
    """The request, or a sentence about what is not understood."""
    first, *headers = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not METHOD.fullmatch(words[0]) or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        return "not an HTTP/1.1 proxy request"
    method, target, _ = words
    if not target.isprintable():
        return "control characters in the address"
    try:
        if method == "CONNECT":
            host, port = split_port(target)
            return Request(host, port, plain=False)
        if not target.startswith("http://"):
            return "only CONNECT, and http:// addresses where a grant says so"
        return _absolute(method, target, headers)
    except (SandboxError, ValueError) as error:
        return str(error)


def _absolute(method: str, target: str, headers: list[str]) -> Request | str:
    parts = urlsplit(target)
    if "@" in parts.netloc or not parts.netloc:
        return "user information in an address is not accepted"
    authority = parts.netloc
    has_port = authority.rpartition("]")[2].rpartition(":")[1] == ":"
    host, port = split_port(authority) if has_port else (normal_host(authority), 80)
    if any("\n" in line or "\r" in line or "\0" in line for line in headers):
        return "control characters in a header"
    if not all(
        HEADER.match(line) for line in headers
    ):  # a folded line would go on with the one we put before it
        return "a header without a name"
    kept = tuple(line for line in headers if line.partition(":")[0].lower() not in DROPPED)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(host, port, plain=True, method=method, path=path, headers=kept)


def refusal(status: str, text: str) -> bytes:
    """A whole response with a readable body; ``Proxy-Status`` (RFC 9209) tells it from an answer of the endpoint."""
    body = (text + "\n").encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Proxy-Status: polyphony",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
