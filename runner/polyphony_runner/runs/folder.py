"""One run on disk: ``runs/<run>/`` (0700) with everything that going on or looking back needs.

```
journal.jsonl   the truth            run.json    where it came from: names, folders, packages, flags
graph.json      the compiled graph   head.json   the journal's head, signed by the home's run key
logs/           what nodes wrote     control/    requests of other processes, removed once taken up
detached.log    what the background process of ``run --detach`` said
cluster.json    only in a copy of a cluster's run: how far the copy goes
```
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from polyphony_runner.files import private_folder, write_atomic
from polyphony_runner.runs.errors import RunError
from polyphony_schemas import program
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph.codec import from_json, to_json
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.program import Program
from polyphony_schemas.values import JsonObject, JsonValue, RunId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 28
CLUSTER_MARK = "cluster.json"
Kept = TypeVar("Kept")


def new_run_id(now_ms: int) -> RunId:
    """``r_`` and a lower-case ULID: 48 bits of time, 80 of chance; ids sort by time."""
    number = (now_ms << 80) | secrets.randbits(80)
    return RunId("r_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)))


def made_at(run: RunId) -> int:
    """When a run was made, in milliseconds since 1970: its id says so."""
    number = 0
    for sign in run.removeprefix("r_"):
        number = number << 5 | _ALPHABET.index(sign)
    return number >> 80


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """Which package a node's ``uses`` meant, so that resuming needs neither lock, override nor manifest."""

    root: str
    tree: str | None
    local: bool
    name: str
    program: Program

    @property
    def version(self) -> str:
        """The package's version."""
        return self.program.interface.version

    def to_json(self) -> dict[str, JsonValue]:
        """As kept in ``run.json``."""
        return {
            "root": self.root,
            "tree": self.tree,
            "local": self.local,
            "name": self.name,
            "program": program.to_json(self.program),
        }


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Where a run came from. ``folder`` is the melody's own, ``work`` what relative paths are relative to.

    ``package`` is ``owner/name``, or the name alone of a melody that was run by its path.
    """

    run: RunId
    name: str
    version: str
    folder: str
    work: str
    local: bool
    tree: str | None
    packages: Mapping[str, PackageRecord]
    ceiling: Mapping[str, JsonValue]
    unsafe_no_sandbox: bool = False
    cache: bool = False
    package: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        """The document ``run.json``."""
        return {
            "run": self.run,
            "name": self.name,
            "version": self.version,
            "folder": self.folder,
            "work": self.work,
            "local": self.local,
            "tree": self.tree,
            "packages": {uses: package.to_json() for uses, package in self.packages.items()},
            "ceiling": dict(self.ceiling),
            "unsafe_no_sandbox": self.unsafe_no_sandbox,
            "cache": self.cache,
            "package": self.package,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> RunRecord:
        """Read what ``to_json`` gave."""
        packages = value["packages"]
        ceiling = value["ceiling"]
        return cls(
            run=RunId(str(value["run"])),
            name=str(value["name"]),
            version=str(value["version"]),
            folder=str(value["folder"]),
            work=str(value["work"]),
            local=bool(value["local"]),
            tree=None if value["tree"] is None else str(value["tree"]),
            packages={uses: _package(one) for uses, one in packages.items()}
            if isinstance(packages, Mapping)
            else {},
            ceiling=ceiling if isinstance(ceiling, Mapping) else {},
            unsafe_no_sandbox=bool(value["unsafe_no_sandbox"]),
            cache=bool(value.get("cache")),
            package=str(value.get("package", value["name"])),
        )


def _package(value: JsonValue) -> PackageRecord:
    fields = value if isinstance(value, Mapping) else {}
    return PackageRecord(
        root=str(fields["root"]),
        tree=None if fields["tree"] is None else str(fields["tree"]),
        local=bool(fields["local"]),
        name=str(fields["name"]),
        program=program.from_json(fields["program"]),
    )


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The places of one run."""

    path: Path

    @property
    def run(self) -> RunId:
        """The run's id."""
        return RunId(self.path.name)

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.jsonl"

    @property
    def head(self) -> Path:
        """The signed head."""
        return self.path / "head.json"

    @property
    def logs(self) -> Path:
        """Folder of log files."""
        return self.path / "logs"

    @property
    def detached_log(self) -> Path:
        """What a background process that executes the run has to say."""
        return self.path / "detached.log"

    @property
    def control(self) -> Path:
        """Folder of requests."""
        return self.path / "control"

    @property
    def of_cluster(self) -> bool:
        """Whether this is the copy of a cluster's run, which nothing here executes."""
        return (self.path / CLUSTER_MARK).is_file()

    def write(self, record: RunRecord, melody: CompiledMelody) -> None:
        """Make the folder and keep what resuming needs: all of it, or nothing is left."""
        graph = json.dumps(to_json(melody), separators=(",", ":")).encode()
        try:
            private_folder(self.path)
            private_folder(self.control)
            write_atomic(self.path / "graph.json", graph)
            write_atomic(self.path / "run.json", json.dumps(record.to_json(), indent=1).encode() + b"\n")
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what there is of a run that could not be begun."""
        shutil.rmtree(self.path, ignore_errors=True)

    def record(self) -> RunRecord:
        """Where the run came from; PLY2417 when that cannot be read."""
        return self._read("run.json", RunRecord.from_json)

    def melody(self) -> CompiledMelody:
        """The compiled graph; PLY2417 when that cannot be read."""
        return self._read("graph.json", from_json)

    def unreadable(self, what: str) -> RunError:
        """PLY2417: what of this folder cannot be made sense of."""
        return RunError(
            "PLY2417",
            f"the run {self.run!r} cannot be read: {what}",
            hint=f"restore its folder from a copy, or remove it: {self.path}",
        )

    def _read(self, name: str, reader: Callable[[JsonObject], Kept]) -> Kept:
        path = self.path / name
        if not path.is_file():
            raise self.unreadable(f"there is no {name}")
        try:
            return reader(json.loads(path.read_bytes()))
        except PolyphonyError as error:
            raise self.unreadable(f"{name}: {error.message}") from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise self.unreadable(f"{name}: {type(error).__name__}: {error}") from error


def find_run(runs: Path, run: str) -> RunFolder:
    """The folder of a run given by its id or by a unique beginning of at least four characters; PLY2402."""
    if len(run) == _ID_LENGTH and "/" not in run and (runs / run).is_dir() and run.startswith("r_"):
        return RunFolder(runs / run)
    found = [folder for folder in all_runs(runs) if folder.run.startswith(run)] if len(run) >= 4 else []
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} runs begin with {run!r}" if found else f"there is no run {run!r}"
    raise RunError("PLY2402", what, hint="polyphony runs lists them")


def all_runs(runs: Path) -> Iterator[RunFolder]:
    """Every run of a home, the newest first; also those whose folder is damaged."""
    if not runs.is_dir():
        return
    for path in sorted(runs.iterdir(), reverse=True):
        if path.name.startswith("r_") and len(path.name) == _ID_LENGTH and path.is_dir():
            yield RunFolder(path)
