"""``journal --verify``: chain, numbers, legal order, ending, and who signed the head (docs/journal.md)."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held, read_lines, torn_bytes
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.head import check_head
from polyphony_runner.runs.unchanged import changed_files
from polyphony_schemas.errors import PolyphonyError

_UNSIGNED = (
    "no signed head: the chain shows that nothing was changed inside, not where the journal comes from"
)


@dataclass(frozen=True, slots=True)
class VerifiedJournal:
    """What was found. ``origin`` says in words what the signature proves.

    ``broken_at`` is the number of the first event that does not follow what stands before it.
    """

    ok: bool
    events: int
    head: str
    status: str
    signed: bool
    problems: tuple[str, ...]
    origin: str
    broken_at: int | None = None

    def to_json(self) -> dict[str, object]:
        """The document of ``journal --verify --json``."""
        return {
            "ok": self.ok,
            "events": self.events,
            "head": self.head,
            "status": self.status,
            "signed": self.signed,
            "problems": list(self.problems),
            "origin": self.origin,
            "broken_at": self.broken_at,
        }


def verify_run(folder: RunFolder, home: Home) -> VerifiedJournal:
    """Check the journal of a run; never changes anything."""
    state = RunState(folder.melody(), ValueStore(FolderArtifacts(home.artifacts)))
    problems: list[str] = []
    heads: list[str] = []
    held = is_held(folder.journal)
    try:
        for event, head in read_lines(folder.journal):
            evolve(state, event)
            heads.append(head)
    except PolyphonyError as error:
        problems.append(error.message)
    except Exception as error:  # noqa: BLE001  # whatever a forged event does to the replay is a finding
        problems.append(f"event {len(heads)} cannot be replayed: {type(error).__name__}: {error}")
    broken_at = len(heads) if problems else None
    if not problems and not heads:
        problems.append("it holds no event: the run was ended before its first")
    if heads and (changed := changed_files(folder, state.created)):
        problems.append(changed)
    if not problems and not held and (torn := torn_bytes(folder.journal)):
        problems.append(
            f"the last line, event {len(heads)}, is incomplete ({torn} bytes): polyphony resume cuts it off"
        )
    if state.finished:
        problems += [f"{path} has no final status" for path, node in state.nodes.items() if not node.final]
    signed, origin, wrong = _signature(folder, home, heads)
    if wrong:
        problems.append(wrong)
    return VerifiedJournal(
        ok=not problems,
        events=len(heads),
        head=heads[-1] if heads else "",
        status=state.status,
        signed=signed,
        problems=tuple(problems),
        origin=origin,
        broken_at=broken_at,
    )


def _signature(folder: RunFolder, home: Home, heads: list[str]) -> tuple[bool, str, str]:
    """Whether the head is signed, what that proves, and what is wrong with it."""
    if not folder.head.exists():
        return False, _UNSIGNED, ""
    try:
        seq, head, own = check_head(folder, home.keys)
    except (ValueError, KeyError, TypeError) as error:
        return False, _UNSIGNED, f"head.json: {error}"
    if seq >= len(heads) or heads[seq] != head:
        return (
            False,
            _UNSIGNED,
            f"head.json signs another journal: event {seq} has not the digest {head[:12]}…",
        )
    key = "this home's run key" if own else "the run key of another home"
    return True, f"events 0 to {seq} are signed by {key}", ""
