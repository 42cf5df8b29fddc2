"""The entry point: answers ``--version`` at once, finds the verb, turns errors into text and exit statuses.

Each verb is one module of ``polyphony_cli.commands``, imported when it is called.
"""

from __future__ import annotations

import gc
import sys

# Compared with the package metadata by a test, so that answering needs no import.
VERSION = "0.1.0"
# Objects between two collections: importing makes many that live on, and looking at them again costs a tenth of a start.
_GARBAGE = 50_000


def main() -> int:
    """Run the command line; the return value is the exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"polyphony {VERSION}\n")
        return 0
    gc.set_threshold(_GARBAGE)
    from polyphony_cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
