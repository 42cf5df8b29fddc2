"""What a run is made of, in the cluster's database: its record, its graph, its packages by tree id.

A package's files lie in the shared artifact store as one archive; a worker that lacks the tree unpacks it, recomputes
the tree id, and refuses anything else (PLY2706).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from polyphony_runner.artifacts.store import ArtifactStore
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.journal import no_run
from polyphony_runner.folders import read_folder
from polyphony_runner.home import Home
from polyphony_runner.package_files import read_package_files
from polyphony_runner.packages import Package
from polyphony_runner.runs.folder import PackageRecord, RunRecord
from polyphony_runner.store import FolderStore
from polyphony_schemas import program
from polyphony_schemas.graph.codec import from_json
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.trust.archive import pack_archive, read_archive
from polyphony_schemas.trust.tree import tree_id
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class PackedTree:
    """A package's files: their tree id, and the digest of the archive among the artifacts."""

    tree: TreeId
    archive: str


@dataclass(frozen=True, slots=True)
class Material:
    """A run's record, and its packages by the words of ``uses``."""

    record: RunRecord
    packages: Mapping[str, PackedTree]


def pack(record: RunRecord, artifacts: ArtifactStore) -> dict[str, PackedTree]:
    """Put the files of every package of a run into the shared store."""
    found: dict[str, PackedTree] = {}
    by_root: dict[str, PackedTree] = {}
    for uses, package in record.packages.items():
        if package.root not in by_root:
            entries = (
                read_package_files(Path(package.root)).entries
                if package.local
                else read_folder(Path(package.root))
            )
            archive = artifacts.put_bytes(pack_archive(entries)).digest
            by_root[package.root] = PackedTree(tree_id(entries), archive)
        found[uses] = by_root[package.root]
    return found


def load_material(database: Database, run: str) -> Material:
    """What a worker needs to execute nodes of a run; PLY2704 when there is no such run."""
    rows = database.rows("SELECT record, packages FROM materials WHERE run = %s", (run,))
    if not rows:
        raise no_run(run)
    record, packages = rows[0]
    return Material(
        RunRecord.from_json(json.loads(record)),
        {uses: PackedTree(TreeId(one["tree"]), one["archive"]) for uses, one in packages.items()},
    )


def load_melody(database: Database, run: str) -> CompiledMelody:
    """The compiled graph of a run; PLY2704 when there is no such run."""
    rows = database.rows("SELECT graph FROM materials WHERE run = %s", (run,))
    if not rows:
        raise no_run(run)
    return from_json(json.loads(rows[0][0]))


@dataclass(slots=True)
class Trees:
    """Packages of any run on this machine, a ``PackageSource`` whose words are keys that ``place`` gives."""

    home: Home
    artifacts: ArtifactStore
    _packages: dict[str, Package] = field(default_factory=dict)
    _placing: dict[str, asyncio.Lock] = field(default_factory=dict)

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The package under a key."""
        del relative_to
        return self._packages.get(uses)

    async def place(self, record: PackageRecord, packed: PackedTree) -> str:
        """Have the files of a package on this machine; the key under which ``find`` gives it."""
        key = _key(record, packed)
        async with self._placing.setdefault(key, asyncio.Lock()):
            if key not in self._packages:
                root = await asyncio.to_thread(self._root, packed)
                self._packages[key] = Package(
                    root, record.program, tree=packed.tree, local=record.local, name=record.name
                )
        return key

    def _root(self, packed: PackedTree) -> Path:
        """From the store of this home, else from what other runs of the cluster brought, else unpacked now."""
        for store in (FolderStore(self.home.store), self._brought):
            if store.has(packed.tree) and store.recompute(packed.tree) == packed.tree:
                return store.path(packed.tree)
        entries = read_archive([self.artifacts.read(packed.archive)])
        if (found := tree_id(entries)) != packed.tree:
            raise ClusterError(
                "PLY2706",
                f"the archive {packed.archive[:12]} holds the tree {found[:12]}, the run names {packed.tree[:12]}",
                hint="somebody changed the shared artifacts; start the run again",
            )
        return self._brought.add(packed.tree, entries)

    @property
    def _brought(self) -> FolderStore:
        return FolderStore(self.home.cache / "trees")


def _key(record: PackageRecord, packed: PackedTree) -> str:
    """The same files may stand for several programs: schemas of the package around them belong to it too."""
    words = json.dumps(
        [packed.tree, record.name, record.local, program.to_json(record.program)], sort_keys=True
    )
    return hashlib.sha256(words.encode()).hexdigest()


def with_trees(record: RunRecord) -> RunRecord:
    """The record without the submitting machine's folders, for workers that never look into them."""
    return replace(record, packages={uses: replace(one, root="") for uses, one in record.packages.items()})
