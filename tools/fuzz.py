"""Play random graphs with random failures, cancellations, halts and kills, for as long as is asked for.

usage: tools/fuzz.py [--seconds 600] [--seed N]   Exit status 1 when something does not hold; the seed says how to see it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback

from generated_files import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from support.conductor_watched import killed_anywhere


def main() -> int:
    """Try one seed after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, help="one seed alone, with its failure in full")
    words = parser.parse_args()
    if words.seed is not None:
        killed_anywhere(words.seed)
        return 0
    first, end, wrong, tried = random.randrange(2**32), time.monotonic() + words.seconds, 0, 0
    while time.monotonic() < end:
        seed = first + tried
        tried += 1
        try:
            killed_anywhere(seed)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong is a finding
            wrong += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{type(error).__name__}: {error} ({place.name}); again: tools/fuzz.py --seed {seed}")
    print(f"{tried} graphs from seed {first}, each also killed once: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
