"""The hook that git runs while pushed objects are still in quarantine: what it refuses vanishes with them.

Reads git's lines ``old new ref`` on stdin. Checks ref names, sizes of the new objects, and the tree of every
pushed commit. Talks on stderr, which git shows to the pusher; status 1 refuses the whole push.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from polyphony_registry.git.errors import GitError
from polyphony_registry.git.objects import read_commit

_STAGING = re.compile(r"refs/staging/([0-9a-f]{40}|[0-9a-f]{64})")
_BRANCH = re.compile(r"refs/heads/[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")


def main() -> int:
    """Check one push; the exit status of the hook."""
    environment = dict(os.environ)
    try:
        check_sizes(environment)
        for line in sys.stdin:
            _, new, ref = line.split()
            check_ref(ref, new)
            read_commit(Path.cwd(), new, environment)
    except GitError as error:
        sys.stderr.write(f"error[{error.code}]: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return 1
    return 0


def check_ref(ref: str, new: str) -> None:
    """Raise GitError unless a push may write this ref: branches, and ``refs/staging/<the commit itself>``."""
    if ref.startswith("refs/tags/v"):
        raise GitError("PLY4303", f"{ref!r} is written by the registry alone", hint="polyphony publish")
    staged = _STAGING.fullmatch(ref)
    if staged is not None and staged[1] == new:
        return
    if _BRANCH.fullmatch(ref) and set(new) != {"0"}:
        return
    raise GitError(
        "PLY4302",
        f"{ref!r} cannot be pushed",
        hint="push a branch, or publish a version with polyphony publish",
    )


def check_sizes(environment: dict[str, str]) -> None:
    """Raise GitError when one new object, or all of them, are larger than the limits in the environment."""
    blob_limit = int(environment["POLYPHONY_BLOB_LIMIT"])
    total_limit = int(environment["POLYPHONY_INFLATED_LIMIT"])
    # Without its alternates the quarantine shows the pushed objects alone.
    only_new = {key: value for key, value in environment.items() if key != "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
    argv = [
        "git",
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objecttype) %(objectsize) %(objectname)",
    ]
    listing = subprocess.run(argv, env=only_new, capture_output=True, check=False)
    if listing.returncode:
        raise GitError("PLY4308", "the pushed objects cannot be listed", hint="ask the operator")
    total = 0
    for line in listing.stdout.splitlines():
        _, size, identity = line.split()
        total += int(size)
        if int(size) > blob_limit:
            raise GitError(
                "PLY4305",
                f"the object {identity.decode()} has {int(size)} bytes, the limit is {blob_limit}",
                hint="keep large data out of the package",
            )
    if total > total_limit:
        raise GitError(
            "PLY4305",
            f"the pushed objects have {total} bytes in all, the limit is {total_limit}",
            hint="push a shorter history or smaller files",
        )


if __name__ == "__main__":
    sys.exit(main())
