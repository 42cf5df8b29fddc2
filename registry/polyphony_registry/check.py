"""``registry check``: computes again what is stored, and compares. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from polyphony_registry.git.protocol import Repository
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_registry.packages.models import Package, Version
from polyphony_registry.services import Services
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.trust.history import HistoryState
from polyphony_schemas.trust.merkle import CompactRange, leaf_hash
from polyphony_schemas.trust.notes import open_note, parse_checkpoint
from polyphony_schemas.trust.records import parse_record
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.tree import tree_id


@dataclass(slots=True)
class Report:
    """What was counted, and what differs, one sentence each."""

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def check(services: Services) -> Report:
    """Log against records, published files against the log, repositories against the catalogue."""
    report = Report()
    report.findings.extend(_log(services, report))
    report.findings.extend(_published(services))
    report.findings.extend(_repositories(services, report))
    waiting = services.outbox.waiting()
    if waiting:
        report.findings.append(f"{waiting} jobs wait in the outbox; registry serve does them")
    return report


def _log(services: Services, report: Report) -> Iterator[str]:
    tree, state = CompactRange(), HistoryState()
    key = services.log.verifier_key
    with services.database.read() as session:
        notes = {row.size: row for row in session.scalars(select(Checkpoint))}
        for row in session.scalars(select(Record).order_by(Record.index)):
            if row.index != tree.size:
                yield f"record {tree.size} is missing"
                return
            try:
                state.apply(row.index, parse_record(row.body))
            except PolyphonyError as error:
                yield error.message
            tree.append(leaf_hash(row.body))
            note = notes.get(tree.size)
            if note is None:
                continue
            try:
                signed = parse_checkpoint(open_note(note.note.encode(), [key]).text)
            except PolyphonyError as error:
                yield f"checkpoint {note.size}: {error.message}"
                continue
            if (signed.size, signed.root) != (tree.size, tree.root()):
                yield f"checkpoint {note.size}: the signed root is not that of the records"
    report.checked["records"] = tree.size
    report.checked["checkpoints"] = len(notes)


def _published(services: Services) -> Iterator[str]:
    folder = services.settings.published / "log"
    try:
        note = open_note((folder / "checkpoint").read_bytes(), [services.log.verifier_key])
        checkpoint = parse_checkpoint(note.text)
        root = TileReader(checkpoint.size, lambda path: (folder / path).read_bytes()).root()
    except (OSError, PolyphonyError) as error:
        yield f"the published log cannot be read: {error}"
        return
    if root != checkpoint.root:
        yield "the published tiles do not lead to the published checkpoint"


def _repositories(services: Services, report: Report) -> Iterator[str]:
    with services.database.read() as session:
        rows = session.execute(select(Package, Version).join(Version, Version.package == Package.id)).all()
    report.checked["versions"] = len(rows)
    for package, version in rows:
        name = f"{package.full_name} {version.version}"
        repository = Repository(package.owner, package.name)
        try:
            found = tree_id(services.git.files(repository, version.commit).entries)
        except PolyphonyError as error:
            yield f"{name}: {error.message}"
            continue
        if found != version.tree:
            yield f"{name}: the repository holds the tree {found}, the log says {version.tree}"
        if services.git.resolve(repository, f"refs/tags/v{version.version}") != version.commit:
            yield f"{name}: the tag v{version.version} is not at {version.commit}"
        for path in (f"archive/{version.tree}.tar.gz", f"bundle/{version.bundle}.json"):
            if not (services.settings.published / path).is_file():
                yield f"{name}: {path} is not published"
