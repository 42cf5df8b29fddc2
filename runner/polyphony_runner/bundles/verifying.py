"""``polyphony verify FILE`` of a run bundle, offline, in numbered steps; the first that fails is the last.

1. contents: the archive is sound, and every file is the one that ``bundle.json`` names (PLY2820, PLY2821)
2. provenance: the statement about ``bundle.json`` and the outputs is signed by the key named there (PLY2822)
3. journal: every line is an event, numbered without a gap, and names the digest of the line before (PLY2823)
4. head: the signed head is one of this journal, under its run key (PLY2824)
5. record: graph and record are those with which the run was created; the lock names trees of the run (PLY2825)
6. order: the events can be replayed on the graph, and what is over is over (PLY2826)
7. artifacts: values are here, and what is here has its digest and is named by the journal (PLY2827)
8. logs: as artifacts (PLY2828)
9. crate: the RO-Crate tells the same digests, of the same run (PLY2829)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.artifacts.manifest import decode as decode_manifest
from polyphony_runner.bundles import layout
from polyphony_runner.bundles.crate import time_of
from polyphony_runner.bundles.facts import facts_of
from polyphony_runner.bundles.layout import BundleError, Contents, Listed
from polyphony_runner.bundles.named import Named
from polyphony_runner.bundles.provenance import read_provenance
from polyphony_runner.bundles.reading import BundleFile
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.state import RunState
from polyphony_runner.runs.folder import RunRecord
from polyphony_runner.runs.head import read_head
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph.codec import from_json
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, line_digest
from polyphony_schemas.lock import decode_lock

_HINT = "the file was changed, or written by something else; ask for it again"


@dataclass(slots=True)
class BundleReport:
    """What ``verify`` answers about a bundle: ``steps`` as for packages, and which run it is."""

    run: str | None = None
    steps: list[dict[str, object]] = field(default_factory=list)
    tree: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return bool(self.steps) and all(step["ok"] for step in self.steps)

    def to_json(self) -> dict[str, object]:
        """The document of ``verify --json``."""
        return {"ok": self.ok, "tree": self.tree, "steps": self.steps, "run": self.run}


def verify_bundle(path: Path) -> BundleReport:
    """Check a bundle from its own bytes alone; raises for nothing but a file that cannot be opened."""
    report = BundleReport()
    try:
        bundle = BundleFile(path)
    except BundleError as error:
        _add(report, "contents", error)
        return report
    with bundle:
        checks = _Checks(bundle)
        for name, code, step in checks.steps:
            try:
                detail = step()
            except BundleError as error:
                _add(report, name, error)
                break
            except PolyphonyError as error:
                _add(report, name, _wrong(code, error.message))
                break
            except Exception as error:  # noqa: BLE001  # whatever forged bytes do to a reader is a finding
                _add(report, name, _wrong(code, f"{type(error).__name__}: {str(error)[:300]}"))
                break
            report.steps.append({"step": name, "ok": True, "code": None, "detail": detail})
        report.run = checks.contents.run if checks.contents else None
    return report


def _add(report: BundleReport, name: str, error: BundleError) -> None:
    report.steps.append(
        {"step": name, "ok": False, "code": error.code, "detail": error.message, "hint": error.hint}
    )


def _wrong(code: str, message: str) -> BundleError:
    return BundleError(code, message, hint=_HINT)


class _Checks:
    """The steps; each gives one line of detail, or raises."""

    def __init__(self, bundle: BundleFile) -> None:
        self.bundle = bundle
        self.contents: Contents | None = None
        self.heads: list[str] = []
        self.named = Named()
        self.created: Event | None = None
        self.steps: tuple[tuple[str, str, Callable[[], str]], ...] = (
            ("contents", "PLY2821", self._contents),
            ("provenance", "PLY2822", self._provenance),
            ("journal", "PLY2823", self._journal),
            ("head", "PLY2824", self._head),
            ("record", "PLY2825", self._record),
            ("order", "PLY2826", self._order),
            ("artifacts", "PLY2827", self._artifacts),
            ("logs", "PLY2828", self._logs),
            ("crate", "PLY2829", self._crate),
        )

    @property
    def _table(self) -> Contents:
        if self.contents is None:
            raise LookupError("the table of contents was not read")
        return self.contents

    def _contents(self) -> str:
        contents = self.contents = self.bundle.contents()
        listed = contents.files.keys() | layout.UNLISTED
        if listed != self.bundle.names:
            odd = sorted(listed ^ self.bundle.names)
            raise _wrong(
                "PLY2821", f"bundle.json and the archive differ about {odd[0]!r} and {len(odd) - 1} more"
            )
        for name, known in sorted(contents.files.items()):
            if self.bundle.digest(name) != known:
                raise _wrong("PLY2821", f"{name} is not the file that bundle.json names")
        return f"{len(contents.files)} files are those that bundle.json names"

    def _provenance(self) -> str:
        found = read_provenance(self.bundle.read(layout.PROVENANCE), self._table.key)
        if found.subjects.get(layout.CONTENTS) != self.bundle.digest(layout.CONTENTS)[0]:
            raise _wrong("PLY2822", "the statement is about another bundle.json")
        if found.run != self._table.run:
            raise _wrong("PLY2822", f"the statement is about the run {found.run!r}")
        return f"signed by the key {_shown(self._table.key)}, exported with {self._table.by}"

    def _journal(self) -> str:
        head = FIRST_PREV
        for seq, line in enumerate(self.bundle.lines()):
            event, prev = decode_line(line)
            if event.seq != seq:
                raise _wrong("PLY2823", f"line {seq + 1} has number {event.seq}, expected {seq}")
            if prev != head:
                raise _wrong("PLY2823", f"event {seq} names another line before it")
            head = line_digest(line)
            self.heads.append(head)
            self.named.add(event)
            self.created = self.created or event
        if self.created is None or self.created.type != "run.created":
            raise _wrong("PLY2823", "the first event is no run.created")
        return f"{len(self.heads)} events, each naming the one before"

    def _head(self) -> str:
        if layout.HEAD not in self.bundle.names:
            return "not signed when it was exported: the chain shows that nothing was changed inside, no more"
        signed = read_head(self.bundle.read(layout.HEAD), self._table.run)
        if not 0 <= signed.seq < len(self.heads) or self.heads[signed.seq] != signed.head:
            raise _wrong("PLY2824", f"the head signs another journal: event {signed.seq} has another digest")
        who = "the same key" if signed.key == self._table.key else f"the key {_shown(signed.key)}"
        rest = len(self.heads) - 1 - signed.seq
        return f"events 0 to {signed.seq} are signed by {who}" + (
            f", {rest} after them are not" if rest else ""
        )

    def _record(self) -> str:
        data = self.created.data if self.created else {}
        for key, name in (("graph", layout.GRAPH), ("record", layout.RECORD)):
            if data.get(key) != self._table.files[name][0]:
                raise _wrong("PLY2825", f"{name} is not the one with which the run was created")
        record = self._run_record()
        if not record.run == data.get("run") == self._table.run:
            raise _wrong("PLY2825", f"the record is of the run {record.run!r}")
        if layout.LOCK not in self.bundle.names:
            return f"{record.name} {record.version}, tree {record.tree or 'none: a local folder'}; no lock"
        lock = decode_lock(self.bundle.read(layout.LOCK))
        locked = {one.tree for one in lock.packages.values()}
        used = {one.tree for one in record.packages.values() if one.tree} | ({record.tree} - {None})
        if not used & locked:
            raise _wrong("PLY2825", "the lock names no tree of this run")
        return f"{record.name} {record.version}; the lock names {len(used & locked)} of {len(used)} trees"

    def _order(self) -> str:
        state = RunState(from_json(json.loads(self.bundle.read(layout.GRAPH))), self.bundle)
        for seq, line in enumerate(self.bundle.lines()):
            try:
                evolve(state, decode_line(line)[0])
            except Exception as error:
                raise _wrong("PLY2826", f"event {seq} cannot follow those before it: {error}") from error
        if state.finished and (left := [path for path, node in state.nodes.items() if not node.final]):
            raise _wrong("PLY2826", f"the run is over, and {left[0]!r} has no final status")
        return f"the journal can be replayed: {len(state.nodes)} nodes, the run {state.status}"

    def _artifacts(self) -> str:
        for digest in self.named.values:
            name = layout.artifact_name(digest)
            if name not in self.bundle.names:
                raise _wrong("PLY2827", f"the value {digest} is not in the bundle")
            self.named.add_references(json.loads(self.bundle.read(name)))
        allowed = self.named.values.keys() | self.named.files.keys()
        for digest in self.named.folders:
            if (name := layout.artifact_name(digest)) in self.bundle.names:
                allowed |= {
                    one.target for one in decode_manifest(self.bundle.read(name)) if one.kind in ("f", "x")
                }
        here = self._check_named(layout.artifact_name, self._table.artifacts, allowed, "PLY2827")
        missing = sum(not one.here for one in self._table.artifacts.values())
        return f"{here} artifacts are here with the digests they are named for" + (
            f", {missing} are only named" if missing else ""
        )

    def _logs(self) -> str:
        here = self._check_named(layout.log_name, self._table.logs, self.named.logs.keys(), "PLY2828")
        return f"{here} of {len(self.named.logs)} logs are here with the digests they are named for"

    def _check_named(
        self, place: Callable[[str], str], listed: Mapping[str, Listed], allowed: Collection[str], code: str
    ) -> int:
        """Everything that is here has the digest it is called by, and the journal names it; how many are here."""
        here = {digest for digest, one in listed.items() if one.here}
        for digest in sorted(here):
            if self._table.files.get(place(digest), ("", 0))[0] != digest:
                raise _wrong(code, f"{place(digest)} has not the digest it is called by")
            if digest not in allowed:
                raise _wrong(code, f"nothing in the journal names {place(digest)}")
        folder = place("").partition("/")[0]
        files = {name for name in self._table.files if name.startswith(f"{folder}/")}
        if odd := files - {place(digest) for digest in here}:
            raise _wrong(code, f"bundle.json does not say what {min(odd)} is")
        return len(here)

    def _crate(self) -> str:
        graph = json.loads(self.bundle.read(layout.CRATE))["@graph"]
        entities = {one["@id"]: one for one in graph}
        for name, (digest, _) in self._table.files.items():
            if name != layout.CRATE and entities.get(name, {}).get("sha256") != digest:
                raise _wrong("PLY2829", f"the crate does not name {name} by its digest")
        facts = facts_of(self._run_record(), (decode_line(line)[0] for line in self.bundle.lines()))
        action = entities["#run"]
        if action["identifier"] != facts.run or action.get("endTime", "") != time_of(facts.finished):
            raise _wrong("PLY2829", "the crate describes another run")
        return f"{len(entities)} entities of the RO-Crate agree"

    def _run_record(self) -> RunRecord:
        return RunRecord.from_json(json.loads(self.bundle.read(layout.RECORD)))


def _shown(key: bytes) -> str:
    return base64.b64encode(key).decode()
