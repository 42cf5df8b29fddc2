"""An extension as the runtime needs it: read once for a package, used for every one of its executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.grants.ports import has_mark
from polyphony_runner.packages import Package
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.words import compile_words
from polyphony_runner.sandbox.spec import Mount
from polyphony_schemas.graph.model import Expression, Limits, Port
from polyphony_schemas.program import MelodyStart, PackageInterface, PythonStart, Start, WasmStart
from polyphony_schemas.values import JsonObject


@dataclass(frozen=True, slots=True)
class Prepared:
    """What does not change between executions of one extension.

    ``mount`` shows the extension's own folder at ``/ext``, ``schemas`` are those of inputs and parameters by name,
    ``words`` the argv of ``command``, ``process`` and ``mcp``, ``requirements`` the bytes of the hash-locked file of a Python
    extension.
    """

    package: Package
    mount: Mount
    start: Start
    interface: PackageInterface
    schemas: Mapping[str, JsonObject]
    words: tuple[str | Expression, ...]
    requirements: bytes | None
    limits: Limits
    has_file_outputs: bool

    @property
    def outputs(self) -> Mapping[str, Port]:
        """The declared output ports."""
        return self.interface.outputs


def prepare(package: Package) -> Prepared:
    """Read an extension. NodeError when it is none, or cannot be read."""
    program = package.program
    start, interface = program.start, program.interface
    if isinstance(start, MelodyStart):
        raise NodeError(
            "configuration",
            "PLY3501",
            f"{interface.name!r} is a melody, expected an extension: nothing of a melody is started",
            hint="name it in uses of a node, which opens its graph",
        )
    return Prepared(
        package=package,
        # Links are followed now: a node that may write above a local extension can put another one in its place.
        mount=Mount(package.root.resolve(), "/ext", shared=package.tree is not None),
        start=start,
        interface=interface,
        schemas=program.value_schemas(),
        words=() if isinstance(start, PythonStart | WasmStart) else compile_words(start.words),
        requirements=_requirements(start, package.root),
        limits=program.limits,
        has_file_outputs=any(has_mark(port.schema) for port in interface.outputs.values()),
    )


def _requirements(start: Start, root: Path) -> bytes | None:
    if not isinstance(start, PythonStart) or start.requirements is None:
        return None
    path = root / start.requirements
    if path.is_symlink() or not path.is_file():
        raise NodeError("configuration", "PLY3601", f"the extension has no file {start.requirements!r}")
    return path.read_bytes()
