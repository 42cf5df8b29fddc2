"""Before a run is taken up: its folder is still what its journal and its signed head say.

1. ``graph.json`` and ``run.json`` have the digests that ``run.created`` names.
2. ``head.json``, where the run was halted before, holds a signature of this home's run key.
3. The journal's line ``seq`` has the digest that was signed.

What is missing proves nothing: a run that was killed before its first halt has no head.
"""

from __future__ import annotations

import hashlib
from itertools import islice

from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.head import check_head
from polyphony_schemas.journal import line_digest
from polyphony_schemas.values import JsonObject, JsonValue

_KEPT = {"graph": "graph.json", "record": "run.json"}


def kept_digests(folder: RunFolder) -> dict[str, JsonValue]:
    """The SHA-256 of ``graph.json`` and ``run.json``, as ``run.created`` holds them."""
    return {
        name: hashlib.sha256((folder.path / file).read_bytes()).hexdigest() for name, file in _KEPT.items()
    }


def changed_files(folder: RunFolder, created: JsonObject) -> str:
    """Which kept file is not the one the run was created with; empty when both are."""
    wrong = [_KEPT[name] for name, digest in kept_digests(folder).items() if created.get(name) != digest]
    return "" if not wrong else f"{' and '.join(wrong)} changed since the run was created"


def check_unchanged(folder: RunFolder, home: Home) -> None:
    """Raise PLY2418 for the first of the three that does not hold, PLY2417 for a journal without an event."""
    first = next(read_journal(folder.journal), None) if folder.journal.is_file() else None
    if first is None:
        raise folder.unreadable("it was ended before its first event")
    changed = changed_files(folder, first.data)
    if changed:
        raise _refused(folder, changed)
    if not folder.head.exists():
        return
    try:
        seq, head, own = check_head(folder, home.keys)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _refused(folder, f"head.json: {error}") from error
    if not own:
        raise _refused(folder, "head.json is signed by the run key of another home")
    if _digest_of_line(folder, seq) != head:
        raise _refused(folder, f"the journal is not the one that was signed: event {seq} differs")


def _digest_of_line(folder: RunFolder, seq: int) -> str:
    with folder.journal.open("rb") as stream:
        line = next(islice(stream, seq, None), b"") if seq >= 0 else b""
    return line_digest(line.removesuffix(b"\n"))


def _refused(folder: RunFolder, what: str) -> RunError:
    return RunError(
        "PLY2418",
        f"the run {folder.run!r} cannot be continued: {what}",
        hint="restore its folder from a copy, or start a new run",
    )
