"""What every generator of ``tools/`` ends with: write its files, or with ``--check`` say which are not current."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write_or_check(files: Mapping[Path, str], stale: list[Path] | None = None) -> int:
    """Write each file and remove ``stale`` ones; with ``--check`` exit status 1 when one differs, and nothing written."""
    wrong = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    gone = [path for path in stale or [] if path.exists()]
    if "--check" in sys.argv[1:]:
        for path in wrong + gone:
            print(f"{path.relative_to(ROOT)} is not current; hint: .venv/bin/python {sys.argv[0]}")
        return 1 if wrong or gone else 0
    for path in gone:
        path.unlink()
    for path in wrong:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], "utf-8")
    return 0
