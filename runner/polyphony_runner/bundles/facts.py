"""What the documents of a bundle tell about a run, read from its journal and its record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from polyphony_runner.runs.folder import PackageRecord, RunRecord
from polyphony_runner.runs.produced import Produced, given, made
from polyphony_schemas.journal import Event, format_time
from polyphony_schemas.values import JsonObject


@dataclass(slots=True)
class Facts:
    """A run in a few words; times in RFC 3339, empty while there is none."""

    run: str
    record: RunRecord
    created: JsonObject = field(default_factory=dict)
    status: str = "unfinished"
    started: str = ""
    finished: str = ""
    error: str = ""
    inputs: list[Produced] = field(default_factory=list)
    outputs: list[Produced] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The melody and its version."""
        return f"{self.record.name} {self.record.version}"

    @property
    def packages(self) -> list[PackageRecord]:
        """The packages by the words of ``uses``, in their order."""
        return [self.record.packages[uses] for uses in sorted(self.record.packages)]


def facts_of(record: RunRecord, events: Iterable[Event]) -> Facts:
    """Read the facts of a run."""
    facts = Facts(record.run, record)
    for event in events:
        match event.type:
            case "run.created":
                facts.created = event.data
                facts.inputs = list(given(event))
            case "run.started":
                facts.started = format_time(event.at_ms)
            case "run.halted":
                facts.status = "halted"
            case "run.resumed":
                facts.status = "unfinished"
            case "run.finished":
                facts.status = str(event.data.get("status"))
                facts.finished = format_time(event.at_ms)
                facts.outputs = list(made(event))
                error = event.data.get("error")
                facts.error = str(error.get("message")) if isinstance(error, dict) else ""
    return facts
