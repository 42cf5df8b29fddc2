"""Extensions made on the spot and run by the real runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.grants.secrets import SecretSource
from polyphony_runner.home import Home
from polyphony_runner.package_index import IndexSettings, PackageIndex
from polyphony_runner.packages import Package, PackageTable
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Success
from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
from polyphony_runner.sandbox.spec import Level
from polyphony_schemas.extension import Extension
from polyphony_schemas.graph.interface import extension_program
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonObject, JsonValue, NodePath, RunId

NO_INDEX = IndexSettings(indexes=())


@dataclass
class Bench:
    """A home, a work folder and the extensions that a test writes."""

    root: Path
    settings: IndexSettings = NO_INDEX
    secrets: dict[str, str] = field(default_factory=dict)
    events: list[NodeEvent] = field(default_factory=list)
    packages: dict[str, Package] = field(default_factory=dict)
    level: Level | None = None

    def __post_init__(self) -> None:
        self.work = self.root / "project"
        self.work.mkdir()
        self.home = Home.at(self.root / "home")
        self.artifacts = FolderArtifacts(self.home.artifacts)
        self.runtime = SandboxedRuntime(
            PackageTable(self.packages),
            self.artifacts,
            self.home,
            level=self.level,
            secrets=SecretSource(None, self.secrets),
            index=PackageIndex(self.settings),
        )

    def extension(self, name: str, files: Mapping[str, str | bytes] | None = None, **manifest: Any) -> str:
        """Write an extension; returns the words of ``uses``."""
        folder = self.root / "extensions" / name
        folder.mkdir(parents=True)
        for path, content in (files or {}).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
            if path.startswith("bin/"):
                target.chmod(0o755)
        model = Extension.model_validate(
            {"extension": "v1", "name": name, "version": "1.0.0", "kind": "operator", **manifest}
        )
        self.packages[f"./{name}"] = Package(folder, extension_program(model), local=True, name=name)
        return f"./{name}"

    def python(self, source: str, **manifest: Any) -> str:
        """An extension of one Python file with ``main`` in it."""
        name = f"node-{len(self.packages)}"
        run = {"python": "node:main", **manifest.pop("run", {})}
        files = {"node.py": source, **manifest.pop("files", {})}
        return self.extension(name, files, run=run, **manifest)

    def assignment(self, uses: str, **values: Any) -> Assignment:
        """One attempt; ``values`` override the fields."""
        fields: dict[str, Any] = {
            "run": RunId("r_test"),
            "node": NodePath("work"),
            "attempt": 1,
            "package": uses,
            "inputs": {},
            "parameters": {},
            "task": {},
            "grants": {},
            "limits": Limits(timeout_ms=60_000),
            "deadline": None,
            "work": self.work,
        }
        return Assignment(**{**fields, **values})

    async def run(self, uses: str, **values: Any) -> Outcome:
        """Run one attempt."""
        return await self.runtime.run(self.assignment(uses, **values), self.events.append)

    def go(self, uses: str, **values: Any) -> Outcome:
        """Run one attempt from synchronous code and close the runtime."""

        async def once() -> Outcome:
            try:
                return await self.run(uses, **values)
            finally:
                await self.runtime.close()

        return asyncio.run(once())

    def succeed(self, uses: str, **values: Any) -> JsonObject:
        """Run one attempt that has to succeed; its outputs."""
        outcome = self.go(uses, **values)
        assert isinstance(outcome, Success), outcome
        return outcome.outputs

    def fail(self, uses: str, **values: Any) -> Failure:
        """Run one attempt that has to fail."""
        outcome = self.go(uses, **values)
        assert isinstance(outcome, Failure), outcome
        return outcome

    def messages(self) -> list[JsonValue]:
        """The texts of all log events so far."""
        return [event.data["message"] for event in self.events if event.type == "log"]


__all__ = ["Bench"]
