"""What this client saw of a log: the last checkpoint that it verified, byte for byte.

``registries/<origin>/note`` lies with the state, never in the cache: forgetting it would let a registry go back in
time. It moves by compare-and-swap under a lock, and only forward. When a log is caught at showing two histories,
``fork-<time>.json`` beside it keeps the evidence and the note stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from polyphony_runner.files import exclusive, private_folder, write_atomic

NOTE = "note"


class Memory:
    """The remembered note of one registry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> bytes | None:
        """The remembered note, or None before the first contact."""
        try:
            return (self.folder / NOTE).read_bytes()
        except FileNotFoundError:
            return None

    def swap(self, expected: bytes | None, new: bytes) -> bool:
        """Remember ``new`` if what is remembered is still ``expected``; says whether it was."""
        with exclusive(self.folder / ".lock"):
            if self.read() != expected:
                return False
            if new != expected:
                write_atomic(self.folder / NOTE, new)
            return True

    def keep_evidence(self, evidence: Mapping[str, object], at: int) -> Path:
        """Write down that the log forked, at unix time ``at``; returns the file."""
        path = private_folder(self.folder) / f"fork-{at}.json"
        write_atomic(path, json.dumps(evidence, indent=1, sort_keys=True).encode() + b"\n")
        return path
