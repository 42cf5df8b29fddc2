"""``node.waiting``: a node that can go on only after something else; ``data.for`` says after what."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_runner.conductor import evolve_awaiting, evolve_handlers
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event

# By what is waited for.
WAITS: dict[str, Callable[[RunState, Event], None]] = {
    "fallback": evolve_handlers.fallback,
    "resume": evolve_handlers.halting,
    "mutex": evolve_handlers.locked_out,
    "budget": evolve_handlers.out_of_budget,
    **evolve_awaiting.WAITS,
}


def waiting(state: RunState, event: Event) -> None:
    """Let the part that waits see its event; PLY2105 for a wait that nobody knows."""
    what = event.data.get("for")
    act = WAITS.get(str(what))
    if act is None:
        raise JournalError(
            "PLY2105", f"event {event.seq}: {event.node!r} waits for {what!r}, which nothing ends"
        )
    act(state, event)


HANDLERS: dict[str, Callable[[RunState, Event], None]] = {"node.waiting": waiting}
