"""``make bench``: run the named benches, or all, and write ``results/NAME.json`` and the table ``results/README.md``.

.venv/bin/python bench/measure.py [NAME…]
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from benches import BENCHES, PEER_PYTHON, Bench, git_version
from rounds import in_turn, say, whole_process

INTRODUCTION = (
    "Written by `make bench`. A metric's name ends with its unit. Read the ratios: absolute times belong to the machine "
    "that made them."
)
RESULTS = Path(__file__).parent / "results"


def main(names: Sequence[str]) -> int:
    """Measure, write, show; 2 for a name that is none."""
    if unknown := sorted(set(names) - set(BENCHES)):
        say(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
        return 2
    RESULTS.mkdir(exist_ok=True)
    for name in names or list(BENCHES):
        say(f"· {name}")
        document = measure(name, BENCHES[name])
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        print("\n".join(section(name, document)), flush=True)
    write_table()
    return 0


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """One bench as the document that is kept."""
    load_before = os.getloadavg()[0]
    with bench.subjects() as subjects:
        rows = in_turn(subjects, bench.rounds)
    return {
        "bench": name,
        "command": f"tools/bench.sh {name}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
        "rounds": bench.rounds,
        "against": bench.against,
        "metric": bench.metric,
        "note": bench.note,
        "rows": [row.to_json() for row in rows],
    }


def machine() -> dict[str, object]:
    """What the numbers belong to."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "polyphony": version_of("polyphony-cli"),
        "git": git_version().removeprefix("git version "),
        **peers(),
    }


def peers() -> dict[str, str]:
    """The versions of the peers, when they are installed."""
    if not PEER_PYTHON.exists():
        return {}
    code = "from importlib.metadata import version; print(version('luigi'), version('dbos'))"
    _, out = whole_process([PEER_PYTHON, "-c", code])
    luigi, dbos = out.decode().split()
    return {"luigi": luigi, "dbos": dbos}


def section(name: str, document: dict[str, Any]) -> list[str]:
    """One bench in Markdown."""
    against = next(
        (
            row["median"]
            for row in document["rows"]
            if row["subject"] == document["against"] and row["metric"] == document["metric"]
        ),
        None,
    )
    lines = [
        f"## {name}",
        "",
        f"{document['note'][0].upper()}{document['note'][1:]}.",
        "",
        _told(document),
        "",
        f"| subject | metric | median | min | max | ratio to {document['against'] or '–'} |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in document["rows"]:
        same = row["metric"] == document["metric"] or row["metric"].endswith("started_ms")
        ratio = f"{row['median'] / against:.2f}" if against and same else ""
        lines.append(
            f"| {row['subject']} | {row['metric']} | {row['median']} | {row['min']} | {row['max']} | {ratio} |"
        )
    return [*lines, ""]


def _told(document: dict[str, Any]) -> str:
    facts, load = document["machine"], document["load"]
    return (
        f"`{document['command']}` · {document['at']} · {document['rounds']} rounds in turn · {facts['cores']} cores, "
        f"Linux {facts['kernel']}, Python {facts['python']} · load {load['before']} before, {load['after']} after"
    )


def write_table() -> None:
    """The table of everything that was measured so far, in the order of the benches."""
    lines = [
        "# Results",
        "",
        INTRODUCTION,
        "",
    ]
    for name in BENCHES:
        path = RESULTS / f"{name}.json"
        if path.exists():
            lines += section(name, json.loads(path.read_text()))
    (RESULTS / "README.md").write_text("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
