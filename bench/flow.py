"""Our side of ``chain40``: the flow of an installed melody in one process, as the peers' programs run theirs.

    python flow.py HOME WARM-UP MELODY

One runtime serves both runs, as in a service; every run has its own journal, synced before each effect, and a signed
head. Prints its milliseconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.home import Home
from polyphony_runner.packages import PackageTable
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.head import sign_head
from polyphony_runner.runs.installed import locate
from polyphony_runner.runs.session import begin
from polyphony_runner.runtimes.protocol import Assignment, Outcome, Runtime, Sink
from polyphony_runner.runtimes.sandboxed import SandboxedRuntime


class Shared:
    """A runtime that outlives the runs that use it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._runtime: SandboxedRuntime | None = None

    def __call__(self, packages: PackageTable, artifacts: FolderArtifacts, base: Path) -> Runtime:
        """The one runtime; the first run's packages are those of all."""
        if self._runtime is None:
            self._runtime = SandboxedRuntime(packages, artifacts, self._home, base=base)
        return self

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Hand on."""
        assert self._runtime is not None
        return await self._runtime.run(assignment, sink)

    async def close(self) -> None:
        """The end of one run is not the end of the runtime."""

    async def end(self) -> None:
        """End everything that is kept warm."""
        if self._runtime is not None:
            await self._runtime.close()


async def flow(home: Home, name: str, shared: Shared) -> None:
    """From the name to the signed head."""
    place = locate(name, home)
    request = RunRequest(place.path, tree=place.tree, ready=place.ready)
    with begin(assemble(request, home, place.packages), home) as session:
        await session.conduct(shared, lambda _event, _state: None)
        sign_head(session.folder, session.journal, home.keys)
    if session.state.status != "succeeded":
        raise RuntimeError(f"the run {session.state.status}: {session.state.error}")


async def main(home: Home, warm_up: str, name: str) -> None:
    """One warm-up flow, then the flow."""
    shared = Shared(home)
    try:
        await flow(home, warm_up, shared)
        start, cpu = time.perf_counter(), time.process_time()
        await flow(home, name, shared)
        told = {"flow_ms": (time.perf_counter() - start) * 1000, "cpu_ms": (time.process_time() - cpu) * 1000}
    finally:
        await shared.end()
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Home.at(Path(sys.argv[1])), sys.argv[2], sys.argv[3]))
