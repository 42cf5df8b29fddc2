"""Spelling of hosts: one form for a grant and for what a program asks the proxy for, so that equality is safe.

A-labels, lower case, one trailing dot removed. Refused: user information, percent signs, zones, and every
number form of an address that is not the canonical one (``127.1``, ``0x7f000001``), because the resolver takes them.

>>> normal_host("API.Example.com."), normal_host("[::1]"), normal_host("bücher.example")
('api.example.com', '::1', 'xn--bcher-kva.example')
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from polyphony_runner.sandbox.errors import ENDPOINT_INVALID, SandboxError
from polyphony_runner.sandbox.spec import Endpoint

LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
HINT = "write host:port, for example api.example.com:443, or http://host:port for plain HTTP"


def _refuse(text: str, reason: str) -> SandboxError:
    return SandboxError(ENDPOINT_INVALID, f"{text!r} is no network endpoint: {reason}", hint=HINT)


def literal(host: str) -> str | None:
    """The canonical form when the host is an IP address, else None."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def normal_host(text: str) -> str:
    """The one spelling of a host; PLY3007 when it has none."""
    if text.startswith("[") and text.endswith("]"):
        address = literal(text[1:-1])
        if address is None or ":" not in address or "%" in text:
            raise _refuse(text, "the address in brackets is not IPv6")
        return address
    if address := literal(text):
        if ":" in text:
            raise _refuse(text, "an IPv6 address stands in brackets")
        return address
    if _resolver_takes_as_number(text):
        raise _refuse(text, "an address is written as four decimal numbers")
    name = _a_label(text.removesuffix("."), text)
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise _refuse(text, "the host is not a domain name")
    return name


def _resolver_takes_as_number(text: str) -> bool:
    try:
        socket.inet_aton(text.removesuffix("."))
    except (OSError, ValueError):
        return False
    return True


def _a_label(name: str, text: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        return name.encode("idna").decode().lower()
    except UnicodeError:
        raise _refuse(text, "the host is not a domain name") from None


def split_port(text: str) -> tuple[str, int]:
    """``host:port`` with a required port, normalised."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or (":" in host and not host.startswith("[")):
        raise _refuse(text, "the port is missing")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or str(int(port)) != port:
        raise _refuse(text, f"{port!r} is no port")
    return normal_host(host), int(port)


def parse_endpoint(text: str, *, private: bool = False) -> Endpoint:
    """A grant as written: ``host:port``, ``https://host:port`` is refused, ``http://host:port`` means plain HTTP.

    A literal address counts as private.
    """
    plain = text.startswith("http://")
    host, port = split_port(text.removeprefix("http://").removesuffix("/") if plain else text)
    return Endpoint(host, port, plain=plain, private=private or literal(host) is not None)


def grant_text(host: str, port: int, *, plain: bool = False) -> str:
    """How a grant for this endpoint is written."""
    shown = f"[{host}]" if ":" in host else host
    return f"{'http://' if plain else ''}{shown}:{port}"
