"""The first-party packages, run by the real runtime with their declared permissions and defaults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.grants.secrets import SecretSource
from polyphony_runner.home import Home
from polyphony_runner.package_index import IndexSettings, PackageIndex
from polyphony_runner.packages import Package, PackageTable, read_extension
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Success
from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonValue, NodePath, RunId
from support.kit_wheels import ROOT

# One home for all tests: tool environments are content-addressed, and made by whoever needs them first.
HOME = ROOT / ".cache/kit-home"
PACKAGES = sorted(path.parent.name for path in ROOT.glob("kit/*/extension.yaml"))


@cache
def kit_packages() -> dict[str, Package]:
    """The packages of the kit by name."""
    return {name: read_extension(ROOT / "kit" / name, local=True) for name in PACKAGES}


@dataclass
class Kit:
    """Runs packages of the kit; ``index`` is what ``package-index`` means to them."""

    work: Path
    index: IndexSettings
    secrets: Mapping[str, str] = field(default_factory=dict)
    events: list[NodeEvent] = field(default_factory=list)
    _runner: asyncio.Runner | None = None

    def __post_init__(self) -> None:
        home = Home.at(HOME)
        self.artifacts = FolderArtifacts(self.work.parent / "artifacts")
        self.packages = kit_packages()
        self.runtime = SandboxedRuntime(
            PackageTable(self.packages),
            self.artifacts,
            home,
            secrets=SecretSource(None, self.secrets),
            index=PackageIndex(self.index),
        )

    def go(self, name: str, seconds: float = 240, **values: Any) -> Outcome:
        """Run one attempt: ``inputs``, ``parameters`` (defaults are filled in), ``task``, and ``grants`` beyond those declared."""
        package = self.packages[name]
        inputs = values.get("inputs", {})
        assignment = Assignment(
            run=RunId("r_test"),
            node=NodePath(name.replace("-", "_")),
            attempt=1,
            package=name,
            inputs=inputs,
            parameters={**defaults(package), **values.get("parameters", {})},
            task=values.get("task", {}),
            grants={**declared(package, inputs), **values.get("grants", {})},
            limits=Limits(timeout_ms=int(seconds * 1000)),
            deadline=None,
            work=self.work,
        )

        if self._runner is None:
            with self.kept_warm():
                return self._run(assignment)
        return self._run(assignment)

    def _run(self, assignment: Assignment) -> Outcome:
        assert self._runner is not None
        return self._runner.run(self.runtime.run(assignment, self.events.append))

    @contextmanager
    def kept_warm(self) -> Iterator[None]:
        """Keep the warm workers from call to call, as within one run, until the block ends."""
        with asyncio.Runner() as runner:
            self._runner = runner
            try:
                yield
            finally:
                runner.run(self.runtime.close())
                self._runner = None

    def succeed(self, name: str, **values: Any) -> dict[str, Any]:
        """Run one attempt that has to succeed; its outputs."""
        outcome = self.go(name, **values)
        assert isinstance(outcome, Success), f"{outcome}\n{self.log()}"
        return json.loads(json.dumps(outcome.outputs, default=dict))  # type: ignore[no-any-return]  # plain JSON again

    def fail(self, name: str, **values: Any) -> Failure:
        """Run one attempt that has to fail."""
        outcome = self.go(name, **values)
        assert isinstance(outcome, Failure), outcome
        return outcome

    def log(self) -> str:
        """All log lines so far."""
        return "\n".join(str(event.data["message"]) for event in self.events if event.type == "log")

    def text(self, reference: Mapping[str, str]) -> str:
        """The text of a file artifact."""
        return self.artifacts.read(reference["digest"]).decode()

    def folder(self, reference: Mapping[str, str]) -> Path:
        """The folder of a directory artifact."""
        return self.artifacts.directory(reference["digest"])


def defaults(package: Package) -> dict[str, JsonValue]:
    """What the Conductor fills in."""
    schemas = package.program.parameter_schemas().items()
    return {name: schema["default"] for name, schema in schemas if "default" in schema}


def declared(package: Package, inputs: Mapping[str, JsonValue]) -> dict[str, tuple[JsonValue, ...]]:
    """The declared grants with ``${ inputs.path }`` filled in; what is ``granted`` is the test's to give."""
    grants = package.program.interface.permissions
    text = json.dumps({key: items for key, items in grants.items() if items != "granted"})
    for name, value in inputs.items():
        text = text.replace(f'"${{ inputs.{name} }}"', json.dumps(value))
    return {key: tuple(items) for key, items in json.loads(text).items()}
