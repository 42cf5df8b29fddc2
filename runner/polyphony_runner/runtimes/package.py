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
from polyphony_schemas.extension import CommandRun, Extension, ProcessRun, PythonRun
from polyphony_schemas.graph.interface import extension_interface
from polyphony_schemas.graph.model import Expression, Limits, Port
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.scalars import parse_duration, parse_size
from polyphony_schemas.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Prepared:
    """What does not change between executions of one extension.

    ``schemas`` are those of inputs and parameters by name, ``words`` the argv of ``command`` and ``process``,
    ``requirements`` the bytes of the hash-locked file of a Python extension.
    """

    package: Package
    run: PythonRun | ProcessRun | CommandRun
    interface: PackageInterface
    schemas: Mapping[str, JsonObject]
    words: tuple[str | Expression, ...]
    requirements: bytes | None
    limits: Limits
    has_file_outputs: bool

    @property
    def mount(self) -> Mount:
        """The extension's own folder, ``/ext``."""
        return Mount(self.package.root, "/ext", shared=self.package.tree is not None)

    @property
    def outputs(self) -> Mapping[str, Port]:
        """The declared output ports."""
        return self.interface.outputs

    def declared_paths(self) -> list[JsonValue]:
        """The extension's own path grants as written."""
        found: list[JsonValue] = []
        for key in ("read", "write"):
            items = self.interface.permissions.get(key, ())
            if items != "granted":
                found.extend(items)
        return found


def prepare(package: Package) -> Prepared:
    """Read an extension. NodeError when it asks for a kind of program that is not built, or cannot be read."""
    manifest = package.manifest
    run = manifest.run
    if not isinstance(run, PythonRun | ProcessRun | CommandRun):
        raise NodeError(
            "unavailable",
            "PLY3501",
            f"{manifest.name!r} runs by {run.kind!r}, which this version cannot start",
            hint="use an extension that runs by python, process or command",
        )
    words: tuple[str | Expression, ...] = ()
    if isinstance(run, ProcessRun):
        words = compile_words(run.process)
    elif isinstance(run, CommandRun):
        words = compile_words(run.command)
    interface = extension_interface(manifest)
    schemas = _schemas(interface)
    return Prepared(
        package=package,
        run=run,
        interface=interface,
        schemas=schemas,
        words=words,
        requirements=_requirements(run, package.root),
        limits=_limits(manifest),
        has_file_outputs=any(has_mark(port.schema) for port in interface.outputs.values()),
    )


def _schemas(interface: PackageInterface) -> dict[str, JsonObject]:
    schemas = {name: port.schema for name, port in interface.inputs.items()}
    properties = interface.parameters.get("properties")
    if isinstance(properties, Mapping):
        schemas |= {name: schema for name, schema in properties.items() if isinstance(schema, Mapping)}
    return schemas


def _requirements(run: object, root: Path) -> bytes | None:
    if not isinstance(run, PythonRun) or run.requirements is None:
        return None
    path = root / run.requirements
    if path.is_symlink() or not path.is_file():
        raise NodeError("configuration", "PLY3601", f"the extension has no file {run.requirements!r}")
    return path.read_bytes()


def _limits(manifest: Extension) -> Limits:
    declared = manifest.limits
    return Limits(
        timeout_ms=None if declared.timeout is None else parse_duration(declared.timeout),
        cpu_ms=None if declared.cpu is None else parse_duration(declared.cpu),
        memory=None if declared.memory is None else parse_size(declared.memory),
        output=None if declared.output is None else parse_size(declared.output),
        disk=None if declared.disk is None else parse_size(declared.disk),
        processes=declared.processes,
    )
