"""The conformance suite: a folder for each pattern and each error strategy, with a melody and what may come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from polyphony_schemas.yaml12 import read_yaml
from support.conformance_orders import Trace

CONFORMANCE = Path(__file__).parents[1] / "conformance"
PATTERNS, ERRORS = CONFORMANCE / "patterns", CONFORMANCE / "errors"
# What the melodies call ``conformance/act``.
ACT = CONFORMANCE / "act"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalStep(_Closed):
    """A signal from outside."""

    name: str
    payload: Any = None
    transient: bool = False


class Step(_Closed):
    """What the world does once all events of ``after`` have come: ``release`` lets nodes that hold for a name go on."""

    after: list[str]
    signal: SignalStep | None = None
    cancel: str | None = None
    approve: str | None = None
    release: str | None = None


class Case(_Closed):
    """One run of the melody: what goes in, what the world does, what comes out, in which orders."""

    name: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    script: list[Step] = Field(default_factory=list)
    status: Literal["succeeded", "failed", "cancelled"] = "succeeded"
    outputs: dict[str, Any] = Field(default_factory=dict)
    traces: list[list[str]]

    @cached_property
    def orders(self) -> tuple[Trace, ...]:
        """The allowed orders."""
        return tuple(map(Trace.of, self.traces))


class Expectation(_Closed):
    """``expect.yaml``. A pattern that no melody can express has a ``reason`` in place of cases."""

    number: int
    name: str
    level: Literal["must", "should", "could"] = "must"
    meaning: str
    how: str = ""
    reason: str = ""
    sandbox: bool = False
    cases: list[Case] = Field(default_factory=list)


class Pattern:
    """One folder of the suite."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expectation = Expectation.model_validate(
            read_yaml((folder / "expect.yaml").read_bytes(), "expect.yaml").value
        )

    @property
    def key(self) -> str:
        """Its folder within the suite."""
        return self.folder.relative_to(CONFORMANCE).as_posix()

    @property
    def digest(self) -> str:
        """Changes with every file of the pattern."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    @property
    def expressible(self) -> bool:
        return not self.expectation.reason


def patterns(root: Path = PATTERNS) -> list[Pattern]:
    """Every pattern (or error strategy) of a folder, by number."""
    return [Pattern(folder) for folder in sorted(root.iterdir())]


def cases() -> Iterator[tuple[Pattern, Case]]:
    """Every case of everything that a melody can express."""
    for pattern in (*patterns(PATTERNS), *patterns(ERRORS)):
        for case in pattern.expectation.cases:
            yield pattern, case
