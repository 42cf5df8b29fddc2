"""What a ``for_each``, ``while`` or ``until`` of a random melody may do next, counted from its events alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_schemas.graph.model import GraphNode, Loop
from polyphony_schemas.values import JsonObject, JsonValue

# Random melodies complete a map at so many successes, and repeat a ``while`` for so many rounds.
_ENOUGH = 2


@dataclass
class Repeating:
    """A scope that has opened. ``rows`` holds what rounds brought, by their number."""

    spec: GraphNode
    total: int = 0
    parallel: int = 1
    completed: bool = False
    begun: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    last: str = "succeeded"
    closed: str | None = None
    rows: dict[int, JsonValue] = field(default_factory=dict)

    @property
    def header(self) -> Loop:
        assert self.spec.loop is not None
        return self.spec.loop

    @property
    def is_map(self) -> bool:
        return self.spec.kind == "for_each"

    def begin(self, index: int) -> None:
        """A round begins: the next one, where there is an item and a place for it."""
        assert index == self.begun
        assert self.running < self.parallel
        ignored = self.closed == "complete" and self.header.rest == "ignore"
        assert self.closed is None or ignored, f"a round after the scope closed: {self.closed}"
        assert index < (self.total if self.is_map else self.header.max)
        assert self.is_map or self.last == "succeeded"
        self.begun += 1
        self.running += 1

    def end(self, index: int, data: JsonObject) -> None:
        """A round is over."""
        self.running -= 1
        self.last = str(data["status"])
        if self.last == "succeeded":
            self.done += 1
            outputs = data.get("outputs")
            self.rows[index] = outputs.get("value") if isinstance(outputs, Mapping) else None
            self.completed = self.completed or data.get("until") is True
        elif self.last == "failed":
            self.failed += 1
        if (
            self.is_map
            and self.header.complete_when is not None
            and self.done >= _ENOUGH
            and self.closed is None
        ):
            self.completed = True

    def close(self, reason: str) -> None:
        """No further round begins, for this reason."""
        assert self.closed is None
        self.closed = reason
        ended = self.begun - self.running
        if self.is_map and reason in ("done", "complete"):
            assert self.failed <= self.header.tolerate
        match reason:
            case "done" if self.is_map:
                assert ended == self.total and not self.header.open
            case "done":
                assert self.completed or (self.spec.kind == "while" and self.begun >= _ENOUGH)
            case "complete":
                assert self.completed
            case "max" | "accepted":
                assert self.begun == self.header.max
                assert (reason == "accepted") == (self.header.on_max == "accept")
            case "failed" if self.is_map:
                assert self.failed > self.header.tolerate
            case "failed":
                assert self.last != "succeeded"

    def check_success(self, outputs: JsonValue) -> None:
        """It gives outputs: those of a map are a list in the order of the items, null where one brought nothing."""
        assert self.closed in ("done", "complete", "accepted"), self.closed
        assert self.running == 0 or self.header.rest == "ignore"
        if self.is_map and self.spec.scope_outputs:
            assert isinstance(outputs, Mapping)
            assert outputs["value"] == [self.rows.get(index) for index in range(self.total)]
