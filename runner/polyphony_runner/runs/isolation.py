"""Whether this machine can isolate every node of a run: asked before the run exists, where the answer may be no.

A machine with level ``full`` isolates any node, and what was kept says so without trying anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.home import Home
from polyphony_runner.packages import Package
from polyphony_runner.runs.errors import RunError
from polyphony_runner.sandbox.errors import LEVEL_LACKS
from polyphony_runner.sandbox.levels import GIVES_EVERYTHING, HINT, Needs, lacks
from polyphony_runner.sandbox.preflight import decide_level, kept_level
from polyphony_runner.sandbox.spec import Level
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.program import MelodyStart, WasmStart


def refuse_unisolated(melody: CompiledMelody, packages: Mapping[str, Package], home: Home) -> None:
    """PLY3800 for the first node that the level of this machine cannot run; nothing is said where there is no level:
    the run may not need one, and its first node that does says why.
    """
    if not packages or kept_level() in GIVES_EVERYTHING:
        return
    level = decide_level(home.root).level
    if level is None or level in GIVES_EVERYTHING:
        return
    for uses, package in packages.items():
        start = package.program.start
        if not isinstance(start, WasmStart | MelodyStart) and (why := lacks(level, Needs())):
            raise _refused(level, f"what uses {uses}", why)
    from polyphony_schemas.permissions.whole import whole_of

    wasm = all(isinstance(package.program.start, WasmStart | MelodyStart) for package in packages.values())
    for use in whole_of(melody).uses:
        needs = Needs(network=use.key == "network", secrets=use.key == "secrets", wasm=wasm)
        if why := lacks(level, needs):
            raise _refused(level, f"the node {use.nodes[0]}", why)


def _refused(level: Level, what: str, why: str) -> RunError:
    return RunError(
        LEVEL_LACKS, f"sandbox level {level!r} of this machine cannot run {what}: {why}", hint=HINT
    )
