"""What the shell knows about pure nodes that are ready: asked for, found in the cache, or to be executed after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from polyphony_runner.conductor.assignments import RunContext, assign
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.runtimes.protocol import Assignment, Failure
from polyphony_schemas.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Found:
    """The answer for one node: ``data`` of its ``node.succeeded`` for a hit, None when it has to be executed."""

    path: str
    data: JsonObject | None


Report = Callable[[Found], None]


class ResultCache(Protocol):
    """Results of pure nodes by content, as one run sees them.

    Contract: each ``ask`` leads to exactly one ``Found`` through ``report``, and so does each ``claim`` that is
    refused; ``report`` is called in the event loop's thread, also before ``ask`` returns. Nothing of the run's state
    depends on an answer before it is in the journal.
    """

    def ask(self, assignment: Assignment, report: Report) -> None:
        """Look a node up."""
        ...

    def claim(self, path: str) -> bool:
        """Before a node that was not found is executed: whether this run may compute the result; else another does."""
        ...

    def facts(self, path: str) -> dict[str, JsonValue]:
        """What ``node.started`` says about the lookup: the ``key``, or why there is none (``no_key``)."""
        ...

    def ended(self, path: str, data: JsonObject | None, at_ms: int) -> None:
        """An attempt is over; ``data`` of its ``node.succeeded``, None for any other end."""
        ...

    async def close(self) -> None:
        """Finish what is being kept, forget the rest."""
        ...


@dataclass(slots=True)
class PureNodes:
    """The pure nodes of one run. Without ``cache`` they are executed like any other.

    ``missed`` are the ones that no cache knows, in the order in which that turned out.
    """

    cache: ResultCache | None = None
    missed: dict[str, None] = field(default_factory=dict)

    def look_up(
        self,
        state: RunState,
        paths: Sequence[str],
        context: RunContext,
        now_ms: int,
        report: Report,
    ) -> None:
        """Ask about nodes that became ready. It only reads, so no event has to be durable before."""
        for path in paths:
            if path not in state.lookups:
                continue
            assignment = assign(state, state.nodes[path], context, now_ms) if self.cache is not None else None
            if self.cache is None or assignment is None or isinstance(assignment, Failure):
                self.missed[path] = None  # a refusal is said where the node would start
            else:
                self.cache.ask(assignment, report)

    def to_start(self, state: RunState) -> Mapping[str, None]:
        """``missed``, the first of which still waits for a place."""
        while self.missed and (path := next(iter(self.missed))) not in state.lookups:
            del self.missed[path]
        return self.missed

    def may_start(self, path: str) -> bool:
        """Whether a start that was decided takes place; not while another run computes the same result."""
        if path not in self.missed:
            return True
        del self.missed[path]
        return self.cache is None or self.cache.claim(path)

    def found(self, state: RunState, found: Found) -> Draft | None:
        """What an answer means: a hit ends the node without an attempt, else it waits for a place."""
        if found.path not in state.lookups:
            return None
        if found.data is None:
            self.missed[found.path] = None
            return None
        return Draft("node.succeeded", found.path, None, found.data)

    def facts(self, node: Node) -> dict[str, JsonValue]:
        """What ``node.started`` says about the lookup."""
        return self.cache.facts(node.path) if self.cache is not None and node.spec.pure else {}

    def ended(self, path: str, data: JsonObject | None, at_ms: int) -> None:
        """An attempt is over; ``data`` of its ``node.succeeded``, None for any other end."""
        if self.cache is not None:
            self.cache.ended(path, data, at_ms)
