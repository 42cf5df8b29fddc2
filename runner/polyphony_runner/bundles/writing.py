"""``polyphony export-run``: gather what a run left, sign what it is evidence of, and write it all to one file."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_BYTES, decode
from polyphony_runner.artifacts.protocol import ArtifactStore
from polyphony_runner.bundles import layout
from polyphony_runner.bundles.crate import crate
from polyphony_runner.bundles.facts import Facts, facts_of
from polyphony_runner.bundles.layout import BundleError, Contents, Listed
from polyphony_runner.bundles.named import Named
from polyphony_runner.bundles.provenance import sign, statement
from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held, read_journal
from polyphony_runner.locking import reachable, read_lock, run_places
from polyphony_runner.runs.folder import RunFolder, RunRecord
from polyphony_runner.runs.head import run_key
from polyphony_runner.runs.verify import verify_run
from polyphony_schemas import VERSION
from polyphony_schemas.lock import Lock, encode_lock

# The first moment that a zip archive can name.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 20

Source = bytes | Path


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: its place and bytes, how many artifacts are in it, and how many it only names."""

    run: str
    path: Path
    size: int
    artifacts: int
    named: int
    signed: bool

    def to_json(self) -> dict[str, object]:
        """The document of ``export-run --json``."""
        return {
            "run": self.run,
            "path": str(self.path),
            "size": self.size,
            "artifacts": self.artifacts,
            "named": self.named,
            "signed": self.signed,
        }


@dataclass(slots=True)
class _Gathered:
    """Files of the bundle by name, and what of the journal's artifacts and logs is among them."""

    sources: dict[str, Source] = field(default_factory=dict)
    artifacts: dict[str, Listed] = field(default_factory=dict)
    logs: dict[str, Listed] = field(default_factory=dict)


def export_run(
    folder: RunFolder, home: Home, store: ArtifactStore, target: Path, *, with_artifacts: bool = False
) -> Exported:
    """Write the bundle of a run, whole or not at all.

    PLY2810 while a process executes the run, PLY2811 when its journal does not hold, PLY2306 when ``target`` is no file.
    """
    record = folder.record()
    _check(folder, home)
    gathered = _gather(folder, store, with_artifacts=with_artifacts)
    if (lock := _lock(home, record)) is not None:
        gathered.sources[layout.LOCK] = lock
    facts = facts_of(record, read_journal(folder.journal))
    _documents(gathered, facts, home)
    _write(gathered.sources, target)
    here = sum(one.here for one in gathered.artifacts.values())
    signed = layout.HEAD in gathered.sources
    return Exported(folder.run, target, target.stat().st_size, here, len(gathered.artifacts) - here, signed)


def _check(folder: RunFolder, home: Home) -> None:
    if is_held(folder.journal):
        raise BundleError(
            "PLY2810",
            f"the run {folder.run!r} goes on in another process",
            hint=f"wait for its end, or polyphony cancel {folder.run}",
        )
    verified = verify_run(folder, home)
    if not verified.ok:
        raise BundleError(
            "PLY2811",
            f"the journal of {folder.run!r} does not hold: {verified.problems[0]}",
            hint=f"polyphony journal {folder.run} --verify",
        )


def _gather(folder: RunFolder, store: ArtifactStore, *, with_artifacts: bool) -> _Gathered:
    gathered, named = _Gathered(), Named()
    for event in read_journal(folder.journal):
        named.add(event)
    gathered.sources[layout.JOURNAL] = folder.journal
    for name in (layout.RECORD, layout.GRAPH, layout.HEAD):
        if (path := folder.path / name).is_file():
            gathered.sources[name] = path
    for digest, size in named.values.items():
        _take(gathered, store, digest, size, needed=True)
        named.add_references(json.loads(store.read(digest)))
    for digest, size in named.files.items():
        if with_artifacts:
            _take(gathered, store, digest, size, needed=False)
        gathered.artifacts.setdefault(digest, Listed(size, here=False))
    for digest in named.folders if with_artifacts else ():
        if gathered.artifacts[digest].here:
            for entry in decode(store.read(digest, limit=MAX_BYTES)):
                if entry.kind in ("f", "x"):
                    _take(gathered, store, entry.target, entry.size, needed=False)
    for digest, size in named.logs.items():
        path = folder.logs / f"{digest}.jsonl"
        here = with_artifacts and path.is_file()
        if here:
            gathered.sources[layout.log_name(digest)] = path
        gathered.logs[digest] = Listed(size, here)
    return gathered


def _take(gathered: _Gathered, store: ArtifactStore, digest: str, size: int, *, needed: bool) -> None:
    """An artifact's file; one that was cleaned up is only named, unless the journal cannot be read without it."""
    try:
        gathered.sources[layout.artifact_name(digest)] = store.file(digest)
        gathered.artifacts[digest] = Listed(size)
    except ArtifactError:
        if needed:
            raise
        gathered.artifacts[digest] = Listed(size, here=False)


def _lock(home: Home, record: RunRecord) -> bytes | None:
    """What the locks around the melody say of the trees that the run used."""
    trees = {one.tree for one in record.packages.values() if one.tree} | ({record.tree} - {None})
    for place in run_places(home, Path(record.folder), Path(record.folder)):
        lock = read_lock(place)
        wanted = [key for key, one in lock.packages.items() if one.tree in trees] if lock else []
        if lock is None or not wanted:
            continue
        edges = {key: one.dependencies for key, one in lock.packages.items()}
        keys = reachable(dict(key.rsplit("@", 1) for key in wanted), edges)
        packages = {key: one for key, one in lock.packages.items() if key in keys}
        registries = {one.registry for one in packages.values()}
        return encode_lock(
            Lock(
                registries={origin: one for origin, one in lock.registries.items() if origin in registries},
                roots={name: one for name, one in lock.roots.items() if f"{name}@{one.version}" in packages},
                packages=packages,
            )
        )
    return None


def _documents(gathered: _Gathered, facts: Facts, home: Home) -> None:
    """Add the documents that are made at export: crate, table of contents, provenance."""
    key = run_key(home.keys)
    files = {name: _digest(source) for name, source in gathered.sources.items()}
    metadata = crate(facts, files, gathered.artifacts)
    files[layout.CRATE] = _digest(metadata)
    by = f"polyphony {VERSION}"
    contents = Contents(
        facts.run, by, key.public_key().public_bytes_raw(), files, gathered.artifacts, gathered.logs
    ).encode()
    provenance = sign(statement(facts, by, files, _digest(contents)[0]), key)
    gathered.sources |= {
        layout.CRATE: metadata,
        layout.CONTENTS: contents,
        layout.PROVENANCE: provenance,
    }


def _digest(source: Source) -> tuple[str, int]:
    """SHA-256 and bytes of a file of the bundle."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest(), len(source)
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return digest, stream.tell()


def _write(sources: Mapping[str, Source], target: Path) -> None:
    """The archive: names sorted, one time for all, nothing compressed."""
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise ArtifactError(
            "PLY2306", f"{str(target)!r} is no regular file", hint="name another file with -o"
        )
    temporary = target.with_name(f".{secrets.token_hex(6)}.polyphony")
    try:
        with temporary.open("xb") as stream:
            _archive(sources, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _archive(sources: Mapping[str, Source], stream: BinaryIO) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            source = sources[name]
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.file_size = len(source) if isinstance(source, bytes) else source.stat().st_size
            with archive.open(info, "w") as member:
                if isinstance(source, bytes):
                    member.write(source)
                    continue
                with source.open("rb") as reading:
                    while block := reading.read(_BLOCK):
                        member.write(block)
