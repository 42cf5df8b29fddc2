"""The bench ``fib33``: what isolation and durability add to nodes that compute for a second.

    python compute.py COUNT N        one flow in this process; prints its milliseconds as JSON

Each node says how long its function took, so the overhead is that of this very flow, whatever else the machine did.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from flow import Shared
from rounds import Subject, telling

from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.session import begin

HERE = Path(__file__).parent
PEER_PYTHON = HERE.parent / ".venv-bench" / "bin" / "python"
TASKS, FIB = 10, 33
EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {n: {schema: {type: integer}}}
outputs: {ms: {schema: {type: number}}}
run: {python: "node:main", warm: true}
"""
NODE = """\
import time


def fib(n):
    return n if n <= 1 else fib(n - 1) + fib(n - 2)


def main(inputs, parameters, task, context):
    began = time.perf_counter()
    fib(inputs["n"])
    return {"ms": (time.perf_counter() - began) * 1000}
"""


@contextlib.contextmanager
def fib33() -> Iterator[Mapping[str, Subject]]:
    """10 sequential fib(33)."""
    words = [str(TASKS), str(FIB)]
    yield {
        "bare loop, one process": telling([PEER_PYTHON, HERE / "peers" / "bare.py", "loop", *words]),
        "DBOS": telling([PEER_PYTHON, HERE / "peers" / "dbos_flow.py", *words]),
        "Polyphony, sandboxed, warm": telling([sys.executable, HERE / "compute.py", *words]),
    }


def _write(folder: Path, count: int, n: int) -> None:
    (folder / "step").mkdir(parents=True, exist_ok=True)
    (folder / "step" / "extension.yaml").write_text(EXTENSION)
    (folder / "step" / "node.py").write_text(NODE)
    nodes = "".join(f"  n{i}: {{uses: ./step, with: {{n: {n}}}}}\n" for i in range(count))
    wires = "".join(f"  - n{i - 1} -> n{i}\n" for i in range(1, count))
    sums = " + ".join(f"n{i}.ms" for i in range(count))
    (folder / "melody.yaml").write_text(
        f"melody: v1\nname: compute\nversion: 1.0.0\nnodes:\n{nodes}connections:\n{wires}"
        f'outputs: {{ms: "${{ {sums} }}"}}\n'
    )


async def flow(home: Home, folder: Path, shared: Shared) -> float:
    """From the melody's file to the end of its run; what its nodes say they computed, in milliseconds."""
    with begin(assemble(RunRequest(folder), home), home) as session:
        await session.conduct(shared, lambda _event, _state: None)
    if session.state.status != "succeeded":
        raise RuntimeError(f"the run {session.state.status}: {session.state.error}")
    return float(str(session.state.outputs["ms"]))


async def main(count: int, n: int) -> None:
    """One flow to warm up, as the peers have, then the flow."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        _write(folder / "melody", count, 1)
        home = Home.at(folder / "home")
        shared = Shared(home)
        try:
            await flow(home, folder / "melody", shared)
            _write(folder / "melody", count, n)
            began = time.perf_counter()
            computed = await flow(home, folder / "melody", shared)
            took = (time.perf_counter() - began) * 1000
        finally:
            await shared.end()
    overhead = 100 * (took - computed) / computed
    print(json.dumps({"flow_ms": took, "compute_ms": computed, "overhead_percent": overhead}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
