"""Everything that is settled before a run's first event: graph, packages, inputs, consent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.conductor.budgets import TRUSTED
from polyphony_runner.home import Home
from polyphony_runner.packages import Package, PackageSource, Sources
from polyphony_runner.policies.model import Policy
from polyphony_runner.policies.reading import read_policy
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.features import refuse_later_features
from polyphony_runner.runs.folder import PackageRecord, RunFolder, RunRecord, new_run_id
from polyphony_runner.runs.groups import group_of
from polyphony_runner.runs.inputs import read_inputs
from polyphony_runner.runs.installed import Ready
from polyphony_runner.runs.isolation import refuse_unisolated
from polyphony_runner.runs.overrides import read_overrides, refuse_overridden
from polyphony_runner.settings import read_settings
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate_template
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.names import PackageReference, parse_uses
from polyphony_schemas.permissions.computed import not_a_text
from polyphony_schemas.permissions.keys import Grants
from polyphony_schemas.values import JsonObject, JsonValue, TreeId

if TYPE_CHECKING:
    from polyphony_runner.runs.consent import AskConsent
    from polyphony_runner.runs.linking import Linked
    from polyphony_runner.runs.melody_file import MelodyFile


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the person asked for.

    ``fetch`` verifies and locks what a melody on disk lacks, and gives a new source. ``ready`` is what was kept of an
    installed melody; an override makes it count for nothing. ``cache``: results of pure nodes are looked up and kept.
    ``package`` is the ``owner/name`` of an installed melody, ``pins`` holds outputs of nodes that are not executed.
    ``elsewhere``: other machines execute it, and say themselves what they can isolate.
    """

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
    ready: Ready | None = None
    cache: bool = True
    package: str = ""
    pins: JsonObject = field(default_factory=dict)
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class AssembledRun:
    """Ready to begin: nothing is written yet but the run's folder."""

    folder: RunFolder
    record: RunRecord
    melody: CompiledMelody
    inputs: Mapping[str, JsonValue]
    pins: JsonObject = field(default_factory=dict)
    group: str | None = None
    usage_trusted: Sequence[str] = TRUSTED


def assemble(request: RunRequest, home: Home, installed: PackageSource | None = None) -> AssembledRun:
    """Put a run together; every refusal comes from here, before anything starts.

    ``installed`` finds packages of registries. A melody from the store has a ``tree`` and needs no consent here:
    installing it was the consent.
    """
    score = read_score(request, installed)
    melody = score.melody
    refuse_later_features(melody)
    work = (request.work or Path.cwd()).absolute()
    if not work.is_dir():
        raise RunError(
            "PLY2404",
            f"the work folder {str(work)!r} is no folder",
            hint="name one that exists with --work, or leave the flag out for the current one",
        )
    if not (request.unsafe_no_sandbox or request.elsewhere):
        refuse_unisolated(melody, score.packages, home)
    inputs = read_inputs(melody.inputs, request.inputs, request.inputs_file)
    policy = read_policy(home)
    check_policy(policy, score, request)
    group = group_of(melody, inputs)
    trusted = policy.trusted_usage(read_settings(home).usage_trusted)
    ceiling = evaluate_ceiling(melody, inputs)
    if request.tree is None:
        from polyphony_runner.runs.consent import require_consent

        require_consent(
            score.consented,
            ceiling,
            folder=score.folder,
            work=work,
            kept=home.runs / "consents.json",
            accepted=request.accept_permissions,
            ask=request.ask,
        )
    folder = RunFolder(home.runs / new_run_id(time.time_ns() // 1_000_000))
    record = _record(folder, score, ceiling=ceiling, work=work, request=request)
    folder.write(record, melody)
    return AssembledRun(folder, record, melody, inputs, request.pins, group, trusted)


def check_policy(policy: Policy, score: Score, request: RunRequest) -> None:
    """What the machine and its user forbid, before anything starts: PLY3731, PLY3734.

    A folder on disk is ``local/NAME``; a folder of an installed package is that package.
    """
    if request.unsafe_no_sandbox:
        policy.check_unsandboxed()
    owners = {one.tree: one.name for one in score.packages.values() if "/" in one.name and not one.local}
    for one in score.packages.values():
        if one.local or one.tree is None:
            policy.check_package(f"local/{one.program.interface.name}")
        elif one.tree == request.tree:
            policy.check_package(request.package or score.melody.name)
        else:
            policy.check_package(owners.get(one.tree, one.name))


@dataclass(frozen=True, slots=True)
class Score:
    """A melody with its packages. ``ceiling`` as written; it is read only where somebody has to agree to it."""

    folder: Path
    melody: CompiledMelody
    packages: Mapping[str, Package]
    ceiling: Grants = field(default_factory=dict)

    @property
    def consented(self) -> Grants:
        """What somebody has to agree to: the ceiling, and the direct writes that it does not show."""
        from polyphony_schemas.permissions.whole import consented, whole_of

        return consented(self.ceiling, whole_of(self.melody))


def read_score(request: RunRequest, installed: PackageSource | None) -> Score:
    """The melody that is asked for, compiled, and its packages; nothing is written."""
    folder = request.melody if request.melody.is_dir() else request.melody.parent
    folder = folder.absolute()
    overrides = read_overrides(folder, request.overrides, in_store=request.tree is not None)
    if request.frozen:
        refuse_overridden(overrides, "--frozen")
    if request.ready is not None and not overrides:
        return Score(folder, request.ready.graph, request.ready.packages)
    return _compile(request, overrides, installed)


def _compile(request: RunRequest, overrides: Mapping[str, Path], installed: PackageSource | None) -> Score:
    from polyphony_runner.runs.melody_file import read_melody

    file = read_melody(request.melody)
    linked = _link(file, overrides, installed, request)
    return Score(file.folder, linked.melody, linked.packages, file.ceiling)


def _link(
    file: MelodyFile, overrides: Mapping[str, Path], installed: PackageSource | None, request: RunRequest
) -> Linked:
    from polyphony_runner.runs.linking import Linker

    try:
        return Linker(overrides, installed).link(file, request.tree)
    except RunError as error:
        missing = error.details.get("missing")
        if request.fetch is None or request.tree is not None or not isinstance(missing, list):
            raise
        registered = [uses for uses in missing if isinstance(parse_uses(uses), PackageReference)]
        if registered != missing:
            raise
        fetched = request.fetch(file.folder, registered)
        sources = [fetched] if installed is None else [installed, fetched]
        return Linker(overrides, Sources(sources)).link(file, request.tree)


def evaluate_ceiling(melody: CompiledMelody, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The ceiling of this run; PLY2413 when it cannot be evaluated."""
    try:
        found = {
            key: evaluate_template(items, {"inputs": dict(inputs)}) for key, items in melody.ceiling.items()
        }
    except ExpressionError as error:
        raise RunError("PLY2413", f"config.permissions: {error.message}") from None
    if wrong := not_a_text(melody.ceiling, found):
        raise RunError(
            "PLY2413",
            f"config.permissions: {wrong}",
            hint="write mode, view and private in the melody; only the path or address may be computed",
        )
    return found


def _record(
    folder: RunFolder,
    score: Score,
    *,
    ceiling: Mapping[str, JsonValue],
    work: Path,
    request: RunRequest,
) -> RunRecord:
    return RunRecord(
        run=folder.run,
        name=score.melody.name,
        version=score.melody.version,
        folder=str(score.folder),
        work=str(work),
        local=request.tree is None or any(package.local for package in score.packages.values()),
        tree=request.tree,
        packages={
            uses: PackageRecord(str(package.root), package.tree, package.local, package.name, package.program)
            for uses, package in score.packages.items()
        },
        ceiling=ceiling,
        unsafe_no_sandbox=request.unsafe_no_sandbox,
        cache=request.cache,
        package=request.package or score.melody.name,
    )
