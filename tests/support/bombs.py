"""Small archives that become large."""

from __future__ import annotations

import tarfile
import zlib
from functools import cache


@cache
def gzip_bomb(size: int) -> bytes:
    """A gzip stream of one tar member header that claims, and holds, ``size`` zero bytes."""
    member = tarfile.TarInfo("zeros")
    member.size = size
    member.mode = 0o644
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [deflate.compress(member.tobuf(tarfile.GNU_FORMAT))]
    chunk = bytes(1 << 20)
    parts += [deflate.compress(chunk) for _ in range(min(size >> 20, 64))]
    parts.append(deflate.flush())
    return b"".join(parts)
