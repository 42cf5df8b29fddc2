"""Makes warm calls as whoever started it: (folder, codes) in, the exits out, both pickled."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from pathlib import Path

from polyphony_runner.sandbox import Exit, Limits, SandboxSpec
from polyphony_runner.sandbox.warm import Request, WarmPool, WarmSpec

LIMITS = Limits(wall=60.0, memory=256 << 20)


async def drive(folder: Path, codes: list[str]) -> list[Exit]:
    work = folder / "ws"
    main = Path(__file__).with_name("sandbox_warm_main.py").read_bytes()
    spec = SandboxSpec(("unused",), work, limits=LIMITS, files={"/main.py": main})
    warm = WarmSpec("one", spec, sys.executable, "/main.py", ("plain",))
    pool = WarmPool(folder / "warm", level="full")
    ended = [
        await pool.call(warm, Request(json.dumps({"code": code}).encode() + b"\n", work, LIMITS))
        for code in codes
    ]
    await pool.close()
    return ended


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(asyncio.run(drive(*pickle.load(sys.stdin.buffer)))))
