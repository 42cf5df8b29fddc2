"""Take one layer of the sandbox out at a time and write to docs/security/mutations.md which attack programs get through.

Runs as root (level full-privileged). A layer is taken out in the process of the test alone: ``support/attack_mutations.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from generated_files import ROOT, write_or_check

sys.path.insert(0, str(ROOT / "tests"))

from support.attack_mutations import LAYERS

PAGE = ROOT / "docs" / "security" / "mutations.md"
HEAD = """# What gets through when one layer is missing

Made by `tools/mutate_sandbox.py`, which takes one layer of level `full-privileged` out at a time, in a test's own
process, and runs the [attack programs](sandbox.md) that stand before it. **red**: the program gets through, so a test
notices that the layer is gone. In brackets: what got
through first. A layer without a red program is held by another layer too (read-only mounts by file modes, calls by
missing privileges or a kernel that does not know them), or lacks a program that can tell: none of them is proved here.

| layer taken out | red | still stopped |
|---|---|---|
"""


def came_of(layer: str) -> str:
    """One row."""
    with tempfile.TemporaryDirectory(prefix="polyphony-mutate-", dir="/tmp") as folder:
        words = [sys.executable, "-m", "support.attack_mutations", layer, f"{folder}/places"]
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "tests"))
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd="/", check=True)
    came = json.loads(done.stdout)
    red = [name for name, said in came.items() if said["came"] == "open"]
    rest = [name for name in came if name not in red]
    said = [f"{name} ({came[name]['by'].removeprefix('BROKE OUT ')[:50]})" for name in red]
    return f"| {layer} | {', '.join(said) or '-'} | {', '.join(rest) or '-'} |"


if __name__ == "__main__":
    rows = [came_of(layer) for layer in LAYERS]
    sys.exit(write_or_check({PAGE: HEAD + "\n".join(rows) + "\n"}))
