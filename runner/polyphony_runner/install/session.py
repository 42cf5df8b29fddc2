"""One registry during one call: its checkpoint, verified once, and the histories of names under it.

The remembered checkpoint moves in ``remember``, which the caller runs when everything it verified has passed: a
call that is refused leaves the memory as it was. A log that shows two histories is written down as evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from polyphony_runner.errors import TransportError
from polyphony_runner.registries.binding import Binding
from polyphony_runner.registries.memory import Memory
from polyphony_runner.remote import Source
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust import verification
from polyphony_schemas.trust.notes import Checkpoint, parse_checkpoint
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.verification import Evidence, History, Seen, VerifiedCheckpoint
from polyphony_schemas.values import Digest

ROLLBACK = "PLY5205"
FORK = "PLY5206"
INCOMPLETE = "PLY5302"


@dataclass(slots=True)
class Session:
    """A registry under its binding. ``seen`` are points of the log from the lock; safe to use from several threads.

    ``offline``: ``remote`` is a proof kept in the store. Its checkpoint is as old as the installation, so neither
    its age nor what was seen since can be asked for; signatures, history and content are checked as always.
    """

    binding: Binding
    remote: Source
    memory: Memory
    now: int
    seen: Sequence[Seen] = ()
    offline: bool = False
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _known: bytes | None = None
    _verified: VerifiedCheckpoint | None = None
    _parts: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    _histories: dict[str, tuple[History, Evidence]] = field(default_factory=dict)
    _bundles: dict[str, bytes] = field(default_factory=dict)

    @property
    def rules(self) -> verification.Binding:
        """The binding as the verification takes it, ages in seconds."""
        rules = self.binding.rules()
        return replace(rules, max_age_s=self.now) if self.offline else rules

    def rules_for(self, name: str) -> verification.Binding:
        """The same, with the minimum age of the name's namespace."""
        age = self.binding.minimum_age_of(name.split("/", 1)[0])
        return replace(self.rules, minimum_age_s=age // 1000)

    def checkpoint(self, *, again: bool = False) -> VerifiedCheckpoint:
        """Step 2, once a call: the newest checkpoint, consistent with the memory and the lock."""
        with self._guard:
            if self._verified is None or again:
                self._parts.clear()
                try:
                    self._verified = self._check(self.remote.checkpoint(fresh=again))
                except TrustError as error:
                    if again or error.code != ROLLBACK:
                        raise
                    self._verified = self._check(self.remote.checkpoint(fresh=True))  # past a slow cache
            return self._verified

    def history(self, name: str) -> tuple[History, Evidence]:
        """The complete history of a name (end of step 2, first part of step 3), and the bytes that prove it.

        Index, proof and checkpoint may come from caches of different age: when the lines do not lead to the head
        in the map, all are asked for once more, past the caches, before the registry is called a liar.
        """
        with self._guard:
            found = self._histories.get(name)
        if found is not None:
            return found
        try:
            result = self._history(name, fresh=False)
        except (TrustError, TransportError) as error:
            stale = error.code == INCOMPLETE or error.details.get("status") == 404
            if not stale:
                raise
            self.checkpoint(again=True)
            result = self._history(name, fresh=True)
        with self._guard:
            self._histories[name] = result
        return result

    def bundle(self, digest: str) -> bytes:
        """A bundle by its digest; asked for once."""
        with self._guard:
            known = self._bundles.get(digest)
        if known is None:
            known = self.remote.bundle(Digest(digest))
            with self._guard:
                self._bundles[digest] = known
        return known

    def remember(self) -> None:
        """Let the memory advance to what this call verified; it never goes back."""
        if self._verified is None or self.offline:
            return
        ours = self._verified
        while not self.memory.swap(self._known, ours.note):
            current = self.memory.read()
            if current is None:
                self._known = None
                continue
            other = remembered(current)
            if (
                other.size >= ours.checkpoint.size
            ):  # somebody else went further meanwhile: it must be the same log
                self._check_against(current, [Seen(ours.checkpoint.size, ours.checkpoint.root, "this call")])
                return
            self._check_against(ours.note, [Seen(other.size, other.root)])
            self._known = current

    def _check(self, note: bytes) -> VerifiedCheckpoint:
        if self.offline:
            return self._check_against(note, ())
        self._known = self.memory.read()
        points = list(self.seen)
        if self._known is not None:
            before = remembered(self._known)
            points.insert(0, Seen(before.size, before.root))
        if self._verified is not None:  # what was asked before stands on it: one call sees one log
            shown = self._verified.checkpoint
            points.append(Seen(shown.size, shown.root, "this call"))
        return self._check_against(note, points)

    def _check_against(self, note: bytes, points: Iterable[Seen]) -> VerifiedCheckpoint:
        try:
            return verification.check_checkpoint(
                note, self.rules, seen=points, consistency=self._consistency, now=self.now
            )
        except TrustError as error:
            if error.code == FORK:
                self._keep_evidence(note, error)
            raise

    def _consistency(self, checkpoint: Checkpoint, old_size: int) -> Sequence[bytes]:
        return TileReader(checkpoint.size, self.remote.tile).consistency(old_size)

    def _keep_evidence(self, note: bytes, error: TrustError) -> None:
        """Both notes and where the new one came from: ``polyphony log evidence`` can prove it from that."""
        known = self._known.decode("utf-8", "replace") if self._known else None
        path = self.memory.keep_evidence(
            {
                "evidence": "fork",
                "at": self.now,
                "urls": list(self.binding.urls),
                "log_key": self.binding.log_key,
                "remembered": known,
                "shown": note.decode("utf-8", "replace"),
                "points": {key: value for key, value in error.details.items() if key != "step"},
            },
            self.now,
        )
        error.details["evidence"] = str(path)

    def _history(self, name: str, *, fresh: bool) -> tuple[History, Evidence]:
        verified = self.checkpoint()
        owner = name.split("/", 1)[0]
        size = verified.checkpoint.size
        with ThreadPoolExecutor(2) as pool:
            own, above = pool.map(lambda one: self._part(one, size, fresh=fresh), (name, owner))
        evidence = Evidence(own[0], own[1], above[0], above[1])
        history = verification.verify_history(name, evidence, verified, binding=self.rules, now=self.now)
        return history, evidence

    def _part(self, name: str, size: int, *, fresh: bool) -> tuple[bytes, bytes]:
        with self._guard:
            known = self._parts.get(name)
        if known is None:
            known = self.remote.index(name, fresh=fresh), self.remote.map_proof(size, name)
            with self._guard:
                self._parts[name] = known
        return known


def remembered(note: bytes) -> Checkpoint:
    """The checkpoint of a note that was verified before it was kept."""
    text = note.decode().rpartition("\n\n")[0]
    return parse_checkpoint(text + "\n")
