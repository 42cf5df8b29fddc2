"""Connecting through the machine's own proxy: the name goes there unresolved, so no address is checked here."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from polyphony_runner.sandbox.endpoints import grant_text
from polyphony_runner.sandbox.proxy_http import Request


@dataclass(frozen=True, slots=True)
class Upstream:
    """The far side of a tunnel. ``absolute``: it is a proxy that wants the full address of a plain request.

    ``credentials`` are header lines for that proxy alone.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    absolute: bool
    credentials: tuple[str, ...] = ()


async def open_upstream(proxy: str, request: Request, patience: float) -> Upstream:
    """A tunnel to the request's endpoint through ``http://[user:password@]host:port``. OSError when it says no."""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection(
            parts.hostname or "", parts.port or 3128, ssl=parts.scheme == "https" or None
        )
        try:
            if request.plain:
                return Upstream(reader, writer, absolute=True, credentials=_credentials(parts))
            target = grant_text(request.host, request.port)
            lines = (f"CONNECT {target} HTTP/1.1", f"Host: {target}", *_credentials(parts))
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
            status = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0]
            if status.split(b" ")[1:2] != [b"200"]:
                raise ConnectionRefusedError(f"the machine's proxy answered {status.decode('latin-1')}")
        except BaseException:
            writer.close()
            raise
    return Upstream(reader, writer, absolute=False)


def _credentials(parts: object) -> tuple[str, ...]:
    username, password = getattr(parts, "username", None), getattr(parts, "password", None)
    if not username:
        return ()
    pair = f"{unquote(username)}:{unquote(password or '')}".encode()
    return (f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}",)
