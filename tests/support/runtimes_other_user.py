"""Runs a node of each sort at level ``full``, as whoever starts it; prints the outcomes as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from polyphony_runner.package_index import IndexSettings
from polyphony_runner.runtimes.protocol import Outcome, Success
from support.runtimes_index import Index, locked, serving, wheel
from support.runtimes_nodes import Bench

ANY: dict[str, object] = {"schema": {}}
PATH: dict[str, object] = {"schema": {"type": "string", "format": "path"}}


async def outcomes(bench: Bench, requirements: bytes) -> dict[str, Outcome]:
    """What each sort of node came to."""
    warm = bench.python(
        "def main(i, p, t, c):\n    return {'n': 1}\n", run={"warm": True}, outputs={"n": ANY}
    )
    write = bench.python(
        "def main(i, p, t, c):\n    open(i['path'] + '/new', 'w').write('x')\n    return {}\n",
        inputs={"path": PATH},
    )
    tool = bench.python(
        "import demotool\ndef main(i, p, t, c):\n    open('/out/f', 'w').write(demotool.TEXT)\n",
        files={"requirements.lock": requirements},
        run={"requirements": "requirements.lock"},
        outputs={"f": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    for name in ("copy", "direct", "view"):
        (bench.work / name).mkdir()
    found = {
        "warm": await bench.run(warm),
        "again": await bench.run(warm),
        "copy": await bench.run(write, inputs={"path": "copy"}, grants={"write": ("copy",)}),
        "direct": await bench.run(
            write, inputs={"path": "direct"}, grants={"write": ({"path": "direct", "mode": "direct"},)}
        ),
        "view": await bench.run(
            write, inputs={"path": "view"}, grants={"read": ({"path": "view", "view": "copy"},)}
        ),
        "plain": await bench.run(write, inputs={"path": "view"}, grants={"read": ("view",)}),
        "tool": await bench.run(tool),
    }
    await bench.runtime.close()
    return found


def main(folder: Path) -> None:
    """Everything in one folder."""
    with serving(Index()) as index:
        data = index.add("demotool", wheel("demotool", "1.0", "TEXT = 'text'\n"))
        bench = Bench(folder, IndexSettings(indexes=(index.url,)))
        found = asyncio.run(outcomes(bench, locked("demotool", "1.0", data)))
    report = {
        name: True if isinstance(outcome, Success) else outcome.message for name, outcome in found.items()
    }
    files = sorted(str(path.relative_to(bench.work)) for path in bench.work.rglob("*") if path.is_file())
    sys.stdout.write(json.dumps({"outcomes": report, "files": files}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
