"""``artifacts gc``: remove what no kept run and no kept result refers to.

1. Every run is judged by its melody's ``config.retention``; what is over its time is removed.
2. Roots are what the journals of all other runs name, what the values they name name in turn, the files of folders among
   them, and what results in the cache name. Results that are older than ``CACHE_DAYS`` count once more, then go.
3. What is no root and was last put before the grace time is removed. A running process names in its journal what it
   puts within moments; the grace time is hours. What was put again meanwhile stays: the store looks again.

4. Tool environments that nobody has used for ``environments.collecting.KEPT_DAYS`` go too; they are made again when wanted.

Journals are read after the store was listed, so a run that begins meanwhile finds what it was promised.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import DIRECTORY_MEDIA_TYPE, MAX_BYTES, decode
from polyphony_runner.artifacts.protocol import ArtifactStore, CollectableStore, Held
from polyphony_runner.cache.store import FolderResults
from polyphony_runner.environments.collecting import KEPT_DAYS, collect_environments
from polyphony_runner.files import exclusive
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.references import references_in, stored_in
from polyphony_runner.runs.retention import judge
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue

# How long what nothing refers to is kept at least, and when nobody says.
LEAST_GRACE_MS = 10 * 60 * 1000
GRACE_MS = 24 * 3600 * 1000
CACHE_DAYS = 30
_REMOVED = ".removed-"
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(slots=True)
class Collected:
    """What was removed, or would be: run ids, artifacts, cached results, tool environments, bytes; ``kept`` artifacts."""

    dry_run: bool
    runs: list[str] = field(default_factory=list)
    artifacts: int = 0
    results: int = 0
    size: int = 0
    kept: int = 0
    environments: int = 0

    def to_json(self) -> dict[str, object]:
        """The document of ``artifacts gc --json``."""
        return {
            "dry_run": self.dry_run,
            "runs": self.runs,
            "artifacts": self.artifacts,
            "results": self.results,
            "environments": self.environments,
            "bytes": self.size,
            "kept": self.kept,
        }


class Roots:
    """Digests that must stay, gathered from events; ``store`` is read for values and folders."""

    def __init__(self, store: ArtifactStore) -> None:
        self.digests: set[str] = set()
        self._store = store

    def add_events(self, events: Iterable[Event], *, files: bool = True) -> None:
        """Everything that a journal names; ``files`` says whether files and folders are wanted, or values alone."""
        for event in events:
            for _, mark in stored_in(event.data):
                self._add_value(str(mark["digest"]), files=files)
            if files:
                self.add_references(dict(event.data))

    def add_journal(self, journal: Path, *, files: bool = True) -> None:
        """Everything that a journal file names; of a damaged one whatever looks like a digest."""
        try:
            self.add_events(read_journal(journal), files=files)
        except (PolyphonyError, OSError):
            with contextlib.suppress(OSError):
                for word in _DIGEST.findall(journal.read_bytes()):
                    self._add_anything(word.decode())

    def add_references(self, value: JsonValue) -> None:
        """Every file and folder that a value names, with what a folder holds."""
        for reference in references_in(value):
            digest = str(reference["digest"])
            if digest in self.digests:
                continue
            self.digests.add(digest)
            if reference["media_type"] == DIRECTORY_MEDIA_TYPE:
                self._add_folder(digest)

    def _add_folder(self, digest: str) -> None:
        with contextlib.suppress(ArtifactError, OSError):
            entries = decode(self._store.read(digest, limit=MAX_BYTES))
            self.digests.update(entry.target for entry in entries if entry.kind in ("f", "x"))

    def _add_anything(self, digest: str) -> None:
        """What may be a file, a folder or a value: nobody says any more."""
        if digest not in self.digests:
            self._add_folder(digest)
            self._add_value(digest, files=True)

    def _add_value(self, digest: str, *, files: bool) -> None:
        if digest in self.digests and not files:
            return
        self.digests.add(digest)
        if files:
            with contextlib.suppress(ArtifactError, OSError, ValueError, RecursionError):
                self.add_references(json.loads(self._store.read(digest)))


def collect(
    home: Home, store: CollectableStore, *, grace_ms: int = GRACE_MS, dry_run: bool = False
) -> Collected:
    """Clean up the artifacts of a home; PLY2806 for a grace time under ten minutes."""
    check_grace(grace_ms)
    now = time.time()
    with exclusive(home.artifacts / "gc.lock"):
        found = Collected(dry_run)
        held = list(store.held())
        results = FolderResults(home.cache / "results")
        roots = _roots(home, store, results, found, int(now * 1000))
        found.results = results.prune(now - CACHE_DAYS * 86400, dry_run=dry_run)
        before = now - grace_ms / 1000
        sweep(store, held, roots, found, before)
        for size in collect_environments(home.environments, before=now - KEPT_DAYS * 86400, dry_run=dry_run):
            found.environments += 1
            found.size += size
    return found


def check_grace(grace_ms: int) -> None:
    """PLY2806 for a grace time under ten minutes."""
    if grace_ms < LEAST_GRACE_MS:
        raise ArtifactError(
            "PLY2806",
            f"a grace time of {grace_ms // 1000} s, expected at least {LEAST_GRACE_MS // 1000} s",
            hint="runs that go on now may need what nothing refers to yet; --keep 10m is the least",
        )


def sweep(
    store: CollectableStore, held: Iterable[Held], roots: Collection[str], found: Collected, before: float
) -> None:
    """Remove what is no root and was last put before a moment (Unix seconds)."""
    for one in held:
        if one.digest in roots or one.put_at > before:
            found.kept += 1
        elif found.dry_run or store.remove(one.digest, put_before=before):
            found.artifacts += 1
            found.size += one.size
    if not found.dry_run:
        store.tidy(roots.__contains__, before=before)


def _roots(
    home: Home, store: CollectableStore, results: FolderResults, found: Collected, now_ms: int
) -> set[str]:
    """Remove runs that are over their time, and gather what the others refer to."""
    roots = Roots(store)
    for judged in list(judge(home, now_ms)):
        if judged.verdict == "remove":
            found.runs.append(judged.folder.run)
            if not found.dry_run:
                _remove(judged.folder.path)
            continue
        roots.add_journal(judged.folder.journal, files=judged.verdict == "keep")
    for entry in results.entries():
        roots.add_events([Event(0, 0, "node.succeeded", data=entry.data)])
    for left in () if found.dry_run else home.runs.glob(f"{_REMOVED}*"):
        shutil.rmtree(left, ignore_errors=True)
    return roots.digests


def _remove(folder: Path) -> None:
    """Take a run away: its name at once, its files then, also when this is interrupted."""
    aside = folder.with_name(f"{_REMOVED}{folder.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
