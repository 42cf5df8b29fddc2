"""Breakpoints and steps, as the journal says them: ``run.started`` and ``run.resumed`` may set ``breakpoints`` (paths)
and ``step``; ``run.halted`` with the reason ``breakpoint`` names the node that is about to begin.

Before a node begins at which the run should stop, nothing else begins either; what runs ends, then the run halts.
A resume lets that one node pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from polyphony_runner.conductor.moment import Draft
from polyphony_schemas.values import JsonObject

REASON = "breakpoint"
_ITERATION = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class Breakpoints:
    """Where a run stops. A path without iterations (``fix/lint``) means that node in every round."""

    paths: frozenset[str] = frozenset()
    step: bool = False
    at: str | None = None
    passed: str | None = None

    def stops_at(self, path: str) -> bool:
        """Whether the run halts before this node begins."""
        if not (self.step or self.paths) or path == self.passed:
            return False
        return self.step or path in self.paths or _ITERATION.sub("", path) in self.paths

    def halted(self, data: JsonObject) -> None:
        """The run halted; ``data`` of the event."""
        self.at = str(data.get("node")) if data.get("reason") == REASON else None

    def resumed(self, data: JsonObject) -> None:
        """The run goes on, or begins: it stops where ``data`` says, and nowhere when that says nothing."""
        named = data.get("breakpoints")
        paths = named if isinstance(named, Sequence) and not isinstance(named, str) else ()
        self.paths = frozenset(str(path) for path in paths)
        self.step = data.get("step") is True
        self.passed, self.at = self.at, None

    def facts(self) -> tuple[object, ...]:
        """Everything that replay must give again."""
        return sorted(self.paths), self.step, self.at, self.passed


def halt_before(path: str) -> Draft:
    """The run stops before this node begins."""
    return Draft("run.halted", None, None, {"reason": REASON, "node": path})
