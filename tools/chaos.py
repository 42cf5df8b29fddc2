"""Kill runs at aimed moments and say what survived: ``tools/chaos.py --kills 100 --seed 7``.

Prints the report as JSON; status 0 when nothing was lost and nothing completed was executed twice.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.kill_harness import Chaos


def main() -> int:
    """Run one campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=["sandbox", "function"], default="sandbox")
    parser.add_argument("--report", type=Path, help="write the report there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="polyphony-chaos-") as folder:
        report = Chaos(Path(folder), options.seed, options.mode).campaign(options.kills)
    text = report.to_json()
    print(text)
    if options.report:
        options.report.write_text(text + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
