"""Everything that is settled before a run's first event: graph, packages, inputs, consent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.packages import FolderPackages, OverriddenPackages, Package, PackageSource, Sources
from polyphony_runner.runs.consent import AskConsent, require_consent
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import PackageRecord, RunFolder, RunRecord, new_run_id
from polyphony_runner.runs.inputs import read_inputs
from polyphony_runner.runs.melody_file import (
    MelodyFile,
    compile_file,
    find_packages,
    read_melody,
    refuse_later_features,
)
from polyphony_runner.runs.overrides import read_overrides
from polyphony_schemas.errors import ExpressionError, UsageError
from polyphony_schemas.expressions import evaluate_template
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.names import PackageReference, parse_uses
from polyphony_schemas.values import JsonValue, TreeId


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the person asked for. ``fetch`` verifies and locks what a melody on disk lacks, and gives a new source."""

    melody: Path
    inputs: Sequence[str] = ()
    inputs_file: Path | None = None
    work: Path | None = None
    overrides: Sequence[str] = ()
    accept_permissions: str | None = None
    unsafe_no_sandbox: bool = False
    ask: AskConsent | None = None
    tree: TreeId | None = None
    frozen: bool = False
    fetch: Callable[[Path, Sequence[str]], PackageSource] | None = None


@dataclass(frozen=True, slots=True)
class AssembledRun:
    """Ready to begin: nothing is written yet but the run's folder."""

    folder: RunFolder
    record: RunRecord
    melody: CompiledMelody
    inputs: Mapping[str, JsonValue]


def assemble(request: RunRequest, home: Home, installed: PackageSource | None = None) -> AssembledRun:
    """Put a run together; every refusal comes from here, before anything starts.

    ``installed`` finds packages of registries. A melody from the store has a ``tree`` and needs no consent here:
    installing it was the consent.
    """
    file = read_melody(request.melody)
    overrides = read_overrides(file.folder, request.overrides, in_store=request.tree is not None)
    if request.frozen and overrides:
        raise UsageError(
            "PLY2410",
            f"--frozen takes what the lock names, and {', '.join(sorted(overrides))} is overridden",
            hint="leave --frozen or the overrides out",
        )
    sources: list[PackageSource] = [
        OverriddenPackages(overrides),
        FolderPackages(file.folder, request.tree),
    ]
    if installed is not None:
        sources.append(installed)
    packages = _find(file, sources, request)
    melody = compile_file(file, packages)
    refuse_later_features(file, melody)
    work = (request.work or Path.cwd()).absolute()
    if not work.is_dir():
        raise RunError("PLY2404", f"the work folder {str(work)!r} is no folder")
    inputs = read_inputs(melody.inputs, request.inputs, request.inputs_file)
    ceiling = evaluate_ceiling(melody, inputs)
    if request.tree is None:
        require_consent(
            file.ceiling,
            ceiling,
            folder=file.folder,
            work=work,
            kept=home.runs / "consents.json",
            accepted=request.accept_permissions,
            ask=request.ask,
        )
    folder = RunFolder(home.runs / new_run_id(time.time_ns() // 1_000_000))
    record = _record(folder, file, packages, ceiling=ceiling, work=work, request=request)
    folder.write(record, melody)
    return AssembledRun(folder, record, melody, inputs)


def _find(file: MelodyFile, sources: Sequence[PackageSource], request: RunRequest) -> dict[str, Package]:
    try:
        return find_packages(file, Sources(sources))
    except RunError as error:
        missing = error.details.get("missing")
        if request.fetch is None or request.tree is not None or not isinstance(missing, list):
            raise
        registered = [uses for uses in missing if isinstance(parse_uses(uses), PackageReference)]
        if registered != missing:
            raise
        return find_packages(file, Sources([*sources, request.fetch(file.folder, registered)]))


def evaluate_ceiling(melody: CompiledMelody, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The ceiling of this run; PLY2413 when it cannot be evaluated."""
    try:
        return {
            key: evaluate_template(items, {"inputs": dict(inputs)}) for key, items in melody.ceiling.items()
        }
    except ExpressionError as error:
        raise RunError("PLY2413", f"config.permissions: {error.message}") from None


def _record(
    folder: RunFolder,
    file: MelodyFile,
    packages: Mapping[str, Package],
    *,
    ceiling: Mapping[str, JsonValue],
    work: Path,
    request: RunRequest,
) -> RunRecord:
    return RunRecord(
        run=folder.run,
        name=file.melody.name,
        version=file.melody.version,
        folder=str(file.folder),
        work=str(work),
        local=request.tree is None or any(package.local for package in packages.values()),
        tree=request.tree,
        packages={
            uses: PackageRecord(
                str(package.root), package.tree, package.local, package.name, package.manifest.version
            )
            for uses, package in packages.items()
        },
        ceiling=ceiling,
        unsafe_no_sandbox=request.unsafe_no_sandbox,
    )
