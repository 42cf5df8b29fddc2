"""Runs one specification as whoever started it: pickled (spec, lines wanted) in, pickled (Exit, lines) out."""

from __future__ import annotations

import asyncio
import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path, PurePath

from polyphony_runner.sandbox import Exit, SandboxSpec, run_sandboxed
from polyphony_runner.sandbox.spec import Level


def path_of(text: str) -> Path:
    return Path(text)


class _Portable(pickle.Pickler):
    """Writes paths as text: their class has another module in another Python."""

    def reducer_override(self, obj: object) -> tuple[Callable[[str], Path], tuple[str]]:
        return (path_of, (str(obj),)) if isinstance(obj, PurePath) else NotImplemented


def portable(value: object) -> bytes:
    """A pickle that any Python this project supports can read."""
    out = io.BytesIO()
    _Portable(out).dump(value)
    return out.getvalue()


async def drive(spec: SandboxSpec, wants_lines: bool, level: Level) -> tuple[Exit, list[bytes]]:
    lines: list[bytes] = []
    return await run_sandboxed(spec, level=level, on_line=lines.append if wants_lines else None), lines


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(asyncio.run(drive(*pickle.load(sys.stdin.buffer)))))
