"""The entry point: answers ``--version`` at once, finds the verb, turns errors into text and exit statuses.

Each verb is one module of ``polyphony_cli.commands``, imported when it is called.
"""

from __future__ import annotations

import gc
import io
import os
import sys

# Compared with the package metadata by a test, so that answering needs no import.
VERSION = "0.1.0"
# Objects between two collections: importing makes many that live on, and looking at them again costs a tenth of a start.
_GARBAGE = 50_000


def main() -> int:
    """Run the command line; the return value is the exit status."""
    _open_streams()
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"polyphony {VERSION}\n")
        return 0
    gc.set_threshold(_GARBAGE)
    from polyphony_cli.app import run

    return run(sys.argv[1:])


def _open_streams() -> None:
    """Make sure of descriptors 0 to 2, or the next file opened would get such a number; and print any text anywhere."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed by the caller: `2>&-`
            mode = os.O_WRONLY if descriptor else os.O_RDONLY
            opened = os.open(os.devnull, mode)
            if opened != descriptor:
                os.dup2(opened, descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # what the terminal's encoding lacks stands as its escape


if __name__ == "__main__":
    sys.exit(main())
