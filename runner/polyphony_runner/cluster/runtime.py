"""Before an attempt runs on this worker: its package is brought here, its work folder is looked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.material import Material, Trees
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Runtime, Sink
from polyphony_schemas.errors import PolyphonyError


class PlacedRuntime:
    """A ``Runtime`` for the attempts of one run, in front of the one runtime of the worker, which it never closes."""

    def __init__(self, inner: Runtime, material: Material, trees: Trees) -> None:
        self._inner = inner
        self._material = material
        self._trees = trees

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Bring what is needed, then run."""
        try:
            return await self._inner.run(await self._placed(assignment), sink)
        except ClusterError as error:
            return Failure("unavailable", f"{error.message} ({error.code}; {error.hint})", retryable=False)
        except PolyphonyError as error:
            return Failure("dependency", f"{error.message} ({error.code})")

    async def close(self) -> None:
        """The worker's runtime goes on."""

    async def _placed(self, assignment: Assignment) -> Assignment:
        if any(assignment.grants.get(key) for key in ("read", "write")) and not assignment.work.is_dir():
            raise ClusterError(
                "PLY2707",
                f"this worker does not see the work folder {str(assignment.work)!r}",
                hint="give --work a folder that every worker sees under the same path",
            )
        timeout = assignment.limits.timeout_ms
        if timeout is not None:
            # The time of an attempt runs from here: waiting for a place is not the node's fault.
            assignment = replace(assignment, deadline=datetime.now(UTC) + timedelta(milliseconds=timeout))
        packed = self._material.packages.get(assignment.package)
        if packed is None:
            return assignment
        record = self._material.record.packages[assignment.package]
        return replace(assignment, package=await self._trees.place(record, packed))
