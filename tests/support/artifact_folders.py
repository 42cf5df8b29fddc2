"""A folder with everything that a folder artifact may hold."""

from __future__ import annotations

from pathlib import Path


def tree(root: Path) -> Path:
    """Make it: a program, a text, a link and an empty folder; 14 bytes."""
    (root / "a").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a" / "run.sh").write_text("#!/bin/sh\n")
    (root / "a" / "run.sh").chmod(0o755)
    (root / "d.txt").write_text("text")
    (root / "link").symlink_to("a/run.sh")
    return root
