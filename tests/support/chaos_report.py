"""What came of killing a cluster: the counts, and how a run ended apart from what a kill may change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from polyphony_schemas.journal import Event


@dataclass
class ClusterReport:
    """What came of it. ``ok`` says whether the whole holds."""

    seed: int
    runs: int = 0
    runs_of_melody: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=lambda: {"worker": 0, "redis": 0, "postgresql": 0})
    kills_with_node_in_flight: int = 0
    frozen_workers: int = 0
    take_overs: int = 0
    in_flight_nodes_executed_again: int = 0
    completed_nodes_executed_twice: int = 0
    acts_missing: int = 0
    runs_lost: int = 0
    runs_ended_otherwise: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All kills."""
        return sum(self.kills.values())

    @property
    def ok(self) -> bool:
        wrong = self.completed_nodes_executed_twice + self.acts_missing + self.runs_lost
        aimed = self.kills_with_node_in_flight >= 0.7 * self.total
        proved = self.take_overs > 0 and self.in_flight_nodes_executed_again > 0
        return wrong + self.runs_ended_otherwise == 0 and aimed and proved

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "kills_in_all": self.total, "ok": self.ok}, indent=1)


@dataclass(frozen=True)
class Ending:
    """How a run ended, without anything that a kill may change."""

    status: str
    outputs: str
    completed: tuple[str, ...]
    undone: tuple[str, ...]

    @classmethod
    def of(cls, events: list[Event]) -> Ending:
        """From its journal."""
        last = events[-1].data
        completed = [event.node or "" for event in events if event.type == "node.succeeded"]
        undone = [event.node or "" for event in events if event.type == "undo.done"]
        outputs = json.dumps(last.get("outputs"), sort_keys=True)
        return cls(str(last.get("status")), outputs, tuple(sorted(completed)), tuple(undone))
