"""The runtime that isolates every node: package → environment → grants → sandbox → outcome.

One object serves one process: it keeps what does not change between executions (manifests, environments, pages of
the package index, warm workers), so that a warm call costs little more than the function itself.
"""

from __future__ import annotations

import errno
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from polyphony_runner.artifacts import ArtifactError, ArtifactStore
from polyphony_runner.environments import Environment, Environments
from polyphony_runner.grants import files
from polyphony_runner.grants.masking import Masker
from polyphony_runner.grants.models import check_models
from polyphony_runner.grants.network import endpoints, wants_package_index
from polyphony_runner.grants.paths import Boundaries
from polyphony_runner.grants.secrets import Secrets, SecretSource
from polyphony_runner.grants.values import words
from polyphony_runner.grants.writers import Writers
from polyphony_runner.home import Home
from polyphony_runner.package_index import IndexAccess, PackageIndex
from polyphony_runner.packages import PackageSource
from polyphony_runner.policies.reading import read_policy
from polyphony_runner.runtimes import launch
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.finish import finish
from polyphony_runner.runtimes.index_names import asked_names
from polyphony_runner.runtimes.package import Prepared, prepare
from polyphony_runner.runtimes.protocol import Assignment, NodeEvent, Outcome, Sink
from polyphony_runner.runtimes.request import Times, merged
from polyphony_runner.runtimes.scratch import Scratch
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.errors import LEVEL_LACKS, SandboxError, SandboxUnavailableError
from polyphony_runner.sandbox.levels import HINT, Needs, lacks
from polyphony_runner.sandbox.preflight import current_level, kept_level
from polyphony_runner.sandbox.spec import Endpoint, Level
from polyphony_schemas.errors import ExpressionError, PolyphonyError
from polyphony_schemas.program import WasmStart
from polyphony_schemas.values import ErrorKind


@dataclass(frozen=True, slots=True)
class Attempt:
    """Everything one execution needs, resolved and checked."""

    assignment: Assignment
    prepared: Prepared
    plan: files.FilePlan
    secrets: Secrets
    masker: Masker
    times: Times
    level: Level | None
    environment: Environment | None = None
    endpoints: tuple[Endpoint, ...] = ()
    index: IndexAccess = field(default_factory=IndexAccess)


class SandboxedRuntime:
    """Implements ``runtimes.protocol.Runtime`` with the sandbox of this machine.

    ``level`` None means what the preflight found. ``base`` is the folder relative ``uses`` are resolved against.
    ``places``: how many nodes the caller promises to run at once; so many are kept warm, if that is more than usual.
    """

    def __init__(
        self,
        packages: PackageSource,
        artifacts: ArtifactStore,
        home: Home,
        *,
        base: Path | None = None,
        level: Level | None = None,
        secrets: SecretSource | None = None,
        index: PackageIndex | None = None,
        places: int = 0,
    ) -> None:
        self._packages = packages
        self._artifacts = artifacts
        self._base = base or Path.cwd()
        self._level = level
        self._state = home.root
        self._secrets = secrets or SecretSource.of(home)
        self._index = index or PackageIndex()
        self._environments = Environments(home.environments, self._index)
        self._boundaries = Boundaries.of(home.root)
        self._writers = Writers(home.cache / "writers")
        self._scratch = Scratch(home.cache / "work")
        self._launcher = launch.Launcher(home.root, level, places)
        self._policy = read_policy(home)
        self._prepared: dict[str, Prepared] = {}

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Run to the end and say how it ended."""
        started = time.monotonic()
        masker = Masker({})
        try:
            attempt = await self._attempt(assignment, sink)
            masker = attempt.masker
            outcome = await self._execute(attempt, sink)
            return replace(outcome, seconds=time.monotonic() - started)
        except (PolyphonyError, OSError) as error:
            failure = _as_node_error(error).as_failure(time.monotonic() - started)
            return replace(
                failure,
                message=masker.text(failure.message),
                trace=None if failure.trace is None else masker.text(failure.trace),
            )

    async def close(self) -> None:
        """End everything that is kept warm."""
        await self._launcher.close()
        await in_thread(self._scratch.close)

    async def _attempt(self, assignment: Assignment, sink: Sink) -> Attempt:
        prepared = self._find(assignment.package)
        grants = assignment.grants
        if "models" in prepared.interface.permissions:
            check_models(grants, assignment.parameters)
        times = Times.of(assignment, merged(assignment.limits, prepared.limits), datetime.now(UTC))
        plan = files.plan(
            grants=grants,
            declared=prepared.package.program.declared_paths(),
            schemas=prepared.schemas,
            values={**assignment.inputs, **assignment.parameters},
            work=assignment.work,
            boundaries=self._boundaries,
            artifacts=self._artifacts,
            places=assignment.places,
        )
        secrets = self._secrets.look_up(words(grants, "secrets"))
        if secrets.missing:
            names = ", ".join(secrets.missing)
            sink(NodeEvent("log", {"level": "warning", "message": f"no value for the secrets {names}"}))
        level = await self._level_for(assignment, prepared)
        self._policy.check_level(level)
        attempt = Attempt(assignment, prepared, plan, secrets, Masker(secrets.values), times, level)
        if prepared.requirements is not None:
            environment = await self._environments.ensure(
                prepared.requirements,
                level=level,
                say=lambda text: sink(NodeEvent("log", {"level": "info", "message": text})),
            )
            attempt = replace(attempt, environment=environment)
        points = endpoints(grants)
        self._policy.check_endpoints(points)
        if wants_package_index(grants):
            access = await self._index.access(asked_names(assignment))
            self._policy.check_endpoints(access.endpoints)
            masker = Masker(secrets.values, also=access.masked)
            return replace(attempt, index=access, masker=masker, endpoints=(*points, *access.endpoints))
        return replace(attempt, endpoints=points)

    async def _level_for(self, assignment: Assignment, prepared: Prepared) -> Level:
        """The level of this attempt. SandboxUnavailableError when there is none; NodeError PLY3800 when it is not enough."""
        if assignment.allow_unsandboxed:
            self._policy.check_unsandboxed()
            return "none"
        level = self._level or kept_level()
        if level is None:
            found: Level = await in_thread(current_level, self._state)
            level = found
        wasm = isinstance(prepared.start, WasmStart)
        granted = {key for key in ("network", "secrets") if assignment.grants.get(key)}
        if lacking := lacks(level, Needs("network" in granted, "secrets" in granted, wasm=wasm)):
            raise NodeError(
                "unavailable",
                LEVEL_LACKS,
                f"sandbox level {level!r} cannot run this node: {lacking}",
                hint=HINT,
                retryable=False,
            )
        return level

    def _find(self, uses: str) -> Prepared:
        known = self._prepared.get(uses)
        if known is None:
            package = self._packages.find(uses, self._base)
            if package is None:
                raise NodeError(
                    "dependency",
                    "PLY3502",
                    f"the package {uses!r} is not on this machine",
                    hint="polyphony install it, or give --override NAME=PATH",
                    retryable=False,
                )
            if package.local or "/" in package.name:  # a folder of an installed package is that package
                own = f"local/{package.program.interface.name}"
                self._policy.check_package(own if package.local else package.name)
            known = self._prepared[uses] = prepare(package)
        return known

    async def _execute(self, attempt: Attempt, sink: Sink) -> Outcome:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._writers.writing(attempt.plan.direct))
            launched = await stack.enter_async_context(self._launched(attempt, sink))
            return await finish(attempt, launched, self._artifacts, sink)

    @asynccontextmanager
    async def _launched(self, attempt: Attempt, sink: Sink) -> AsyncIterator[launch.Launched]:
        share = launch.sharing(attempt)
        async with self._scratch.folder(outputs=attempt.prepared.has_file_outputs, share=share) as work:
            if attempt.plan.has_copies:
                await in_thread(attempt.plan.prepare, work)
            if attempt.plan.direct:
                await in_thread(attempt.plan.guard)
            try:
                yield await self._launcher.run(attempt, work, sink)
            finally:
                for line in await in_thread(attempt.plan.withhold) if attempt.plan.direct else ():
                    sink(NodeEvent("log", {"level": "warning", "message": line}))


def _as_node_error(error: PolyphonyError | OSError) -> NodeError:
    """Any error of ours, or of the host's files, as the failure of the node it stopped."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, OSError):
        return _file_error(error)
    if isinstance(error, SandboxUnavailableError):
        return NodeError("unavailable", error.code, error.message, hint=error.hint)
    if isinstance(error, SandboxError):
        return NodeError("permission", error.code, error.message, hint=error.hint)
    if isinstance(error, ExpressionError):
        return NodeError("expression", error.code, error.message, hint=error.hint)
    if isinstance(error, ArtifactError):
        return NodeError("validation", error.code, error.message, hint=error.hint)
    kind: ErrorKind = "permission" if error.details.get("policy") else "configuration"
    return NodeError(kind, error.code, error.message, hint=error.hint)


def _file_error(error: OSError) -> NodeError:
    kind: ErrorKind = "internal"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kind = "disk"
    elif error.errno in (errno.EACCES, errno.EPERM):
        kind = "permission"
    return NodeError(
        kind,
        "PLY3511",
        f"the host's files could not be prepared or read back: {error.strerror}: {error.filename!r}",
        hint="check space and rights of the granted paths and of the home",
    )
