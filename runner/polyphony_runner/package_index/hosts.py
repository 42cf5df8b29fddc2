"""Which hosts ``package-index`` opens, and which of them may lie in a private network.

The person's own settings name the indexes: those may lie anywhere, on this very machine too. What an index's pages
link to is said by whoever runs the index. A public one cannot name a service of this machine or network by that; one
that is itself private may, since it is the person's network that vouches for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

from polyphony_runner.sandbox.reach import ip_address, reachable
from polyphony_runner.sandbox.spec import Endpoint

_PORTS = {"https": 443, "http": 80}


async def endpoints(named: Sequence[str], linked: Iterable[tuple[str, str]]) -> tuple[Endpoint, ...]:
    """The endpoints of the addresses that the settings name and of (index, link on one of its pages), each once.

    ``index`` is set where the filter on private addresses is off, ``private`` where the host is known to be private, so
    that no proxy between here and the internet can know it.
    """
    links = tuple(linked)
    configured = {host for url in named if (host := _host(url))}
    near = await _private_among(configured)
    vouched = {_host(url) for index, url in links if _host(index) in near or urlsplit(index).scheme == "file"}
    private = near | await _private_among(vouched - configured - {""})
    found = [_endpoint(url, trusted=True, private=_host(url) in private) for url in named]
    for _, url in links:
        host = _host(url)
        found.append(_endpoint(url, trusted=host in configured or host in vouched, private=host in private))
    return tuple(dict.fromkeys(point for point in found if point is not None))


async def _private_among(hosts: set[str]) -> set[str]:
    names = sorted(hosts)
    answers = await asyncio.gather(*map(_is_private, names))
    return {host for host, is_private in zip(names, answers, strict=True) if is_private}


def _host(url: str) -> str:
    return _host_of(urlsplit(url))


def _host_of(parts: SplitResult) -> str:
    if parts.scheme not in _PORTS or not parts.hostname:
        return ""
    return parts.hostname.rstrip(".")


async def _is_private(host: str) -> bool:
    """Whether a host has addresses and none of them is public; not so for a name that nobody here can resolve."""
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    found = [ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
    return bool(found) and not any(map(reachable, found))


def _endpoint(url: str, *, trusted: bool, private: bool) -> Endpoint | None:
    parts = urlsplit(url)
    host = _host_of(parts)
    if not host:
        return None
    return Endpoint(
        host,
        parts.port or _PORTS[parts.scheme],
        plain=parts.scheme == "http",
        private=private,
        index=trusted,
    )
