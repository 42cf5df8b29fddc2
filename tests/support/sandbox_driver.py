"""Runs one specification as whoever started it: pickled (spec, lines wanted) in, pickled (Exit, lines) out."""

from __future__ import annotations

import asyncio
import pickle
import sys

from polyphony_runner.sandbox import Exit, SandboxSpec, run_sandboxed


async def drive(spec: SandboxSpec, wants_lines: bool) -> tuple[Exit, list[bytes]]:
    lines: list[bytes] = []
    return await run_sandboxed(spec, level="full", on_line=lines.append if wants_lines else None), lines


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(asyncio.run(drive(*pickle.load(sys.stdin.buffer)))))
