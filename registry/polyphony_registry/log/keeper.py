"""The one writer of the log: records in, a signed checkpoint out, inside the caller's transaction.

``LogKeeper.append`` runs under the database's write lock. It builds the records (``prev`` and ``at`` are its own),
checks the state rules that witnesses and clients check, moves the names' heads in the keyed map, appends the ``map`` record,
signs the checkpoint and stores the note in a row that is unique by size. Nothing leaves the database here: the
outbox publishes a stored note, and after a crash publishes that same note again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.log.errors import LogError
from polyphony_registry.log.maps import MapCache
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_registry.outbox.models import Job
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import notes
from polyphony_schemas.trust.history import HistoryState, namespace_of
from polyphony_schemas.trust.keymap import KeyedMap, chain
from polyphony_schemas.trust.merkle import CompactRange, leaf_hash
from polyphony_schemas.trust.records import MapRecord, encode_record, parse_record, record_from_json
from polyphony_schemas.values import JsonObject, JsonValue

SEAL_JOB = "seal"
_HASH = 32


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be: its members without ``v``, ``at`` and ``prev``, and the hints of its index line."""

    members: JsonObject
    hints: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """What one append gave: the index of each draft's record, the time in them, the new size and note."""

    indexes: tuple[int, ...]
    at: int
    size: int
    note: str


class LogKeeper:
    """Appends, signs, and answers for the keyed map. Any number of processes may hold one each."""

    def __init__(self, origin: str, signer: notes.NoteSigner, published: Path) -> None:
        self.origin = origin
        self.published = published
        self._signer = signer
        self.maps = MapCache()

    @property
    def verifier_key(self) -> notes.VerifierKey:
        """The key for clients to pin."""
        return self._signer.verifier_key()

    def append(self, session: Session, drafts: Sequence[Draft], *, now: int) -> Seal:
        """Append records and the map record, sign, and leave a ``seal`` job in the outbox.

        ``session`` holds the write lock. Raises FormatError PLY5013 for a record that breaks the state rules
        (nothing is kept then), LogError PLY4501 when the stored log contradicts itself.
        """
        latest = newest_checkpoint(session)
        tree = _range_of(latest)
        heads = self.maps.at(session, tree.size)
        at = max(now, latest.at if latest else 0)
        state = history(session, {str(draft.members["name"]) for draft in drafts})
        indexes = []
        for draft in drafts:
            index, heads = self._append(session, draft, state=state, tree=tree, heads=heads, at=at)
            indexes.append(index)
        checkpoint = self._seal(session, tree, heads, at)
        session.add(Job(kind=SEAL_JOB, subject=str(checkpoint.size), created=now))
        session.flush()
        return Seal(tuple(indexes), at, checkpoint.size, checkpoint.note)

    def refresh(self, session: Session, *, now: int, oldest: int) -> bool:
        """Append a fresh ``map`` record when the newest is older than ``oldest`` seconds, or there is none."""
        latest = newest_checkpoint(session)
        if latest is not None and now - latest.at < oldest:
            return False
        self.append(session, (), now=now)
        return True

    def _append(
        self,
        session: Session,
        draft: Draft,
        *,
        state: HistoryState,
        tree: CompactRange,
        heads: KeyedMap,
        at: int,
    ) -> tuple[int, KeyedMap]:
        name = str(draft.members["name"])
        members: dict[str, JsonValue] = {**draft.members, "v": 1, "at": at, "prev": state.latest(name)}
        record = record_from_json(members)
        state.apply(tree.size, record)
        body = encode_record(record)
        leaf = leaf_hash(body)
        head = chain(heads.head(name), leaf)
        index = tree.size
        session.add(
            Record(
                index=index,
                name=name,
                type=record.type,
                body=body,
                chain=head,
                at=at,
                hints=None if draft.hints is None else dict(draft.hints),
            )
        )
        tree.append(leaf)
        return index, heads.put(name, head)

    def _seal(self, session: Session, tree: CompactRange, heads: KeyedMap, at: int) -> Checkpoint:
        record = MapRecord(v=1, type="map", at=at, size=tree.size, root=heads.root().hex())
        body = encode_record(record)
        session.add(Record(index=tree.size, name=None, type="map", body=body, chain=None, at=at, hints=None))
        # The siblings of the last leaf are the roots of the complete subtrees before it.
        inclusion = b"".join(reversed(tree.frontier))
        tree.append(leaf_hash(body))
        signed = notes.sign_checkpoint(notes.Checkpoint(self.origin, tree.size, tree.root()), [self._signer])
        checkpoint = Checkpoint(
            size=tree.size,
            root=tree.root(),
            frontier=b"".join(tree.frontier),
            inclusion=inclusion,
            note=signed.decode(),
            at=at,
        )
        session.add(checkpoint)
        return checkpoint


def newest_checkpoint(session: Session) -> Checkpoint | None:
    """The newest signed tree head, None for an empty log."""
    return session.scalar(select(Checkpoint).order_by(Checkpoint.size.desc()).limit(1))


def history(session: Session, names: Collection[str]) -> HistoryState:
    """The state of some names and their namespaces, from their records."""
    wanted = {*names, *map(namespace_of, names)}
    state = HistoryState()
    for row in session.scalars(select(Record).where(Record.name.in_(wanted)).order_by(Record.index)):
        try:
            state.apply(row.index, parse_record(row.body))
        except FormatError as error:
            raise LogError("PLY4501", f"the stored log breaks its rules: {error.message}") from None
    return state


def _range_of(checkpoint: Checkpoint | None) -> CompactRange:
    if checkpoint is None:
        return CompactRange()
    frontier = checkpoint.frontier
    tree = CompactRange(checkpoint.size, [frontier[i : i + _HASH] for i in range(0, len(frontier), _HASH)])
    if tree.root() != checkpoint.root:
        raise LogError("PLY4501", f"the stored frontier of size {checkpoint.size} has another root")
    return tree
