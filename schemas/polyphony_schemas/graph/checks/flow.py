"""The way through a scope: no cycle outside a loop, and every node can be reached from a root."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.graph.findings import CYCLE, UNREACHABLE, Findings
from polyphony_schemas.graph.scope import Scope


def check_flow(scope: Scope, findings: Findings) -> None:
    """Cycles, and nodes that only a cycle leads to."""
    incoming = scope.incoming()
    sources = {name: sorted({edge.source for _, edge in edges}) for name, edges in incoming.items()}
    stuck = _stuck(sources)
    reported: set[str] = set()
    for name in sorted(stuck):
        cycle = _cycle_from(name, sources, stuck)
        if name in cycle and not reported & set(cycle):
            reported |= set(cycle)
            _report_cycle(scope, cycle, findings)
        if name not in cycle:
            findings.error(
                UNREACHABLE,
                scope.node_pointer(name),
                f"node {name!r} can never start: everything before it waits for a cycle",
                f"break the cycle {' -> '.join([*cycle, cycle[0]])}",
            )


def _stuck(sources: Mapping[str, list[str]]) -> set[str]:
    """The nodes that are left when everything that has no undecided node before it is taken away, again and again."""
    targets: dict[str, list[str]] = {name: [] for name in sources}
    waiting = {name: len(before) for name, before in sources.items()}
    for name, before in sources.items():
        for source in before:
            targets[source].append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    left = set(sources)
    while ready:
        name = ready.pop()
        left.discard(name)
        for target in targets[name]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return left


def _cycle_from(start: str, sources: Mapping[str, list[str]], stuck: set[str]) -> list[str]:
    """Walk back from a stuck node until one comes again: the cycle it waits for, in the order of the arrows."""
    path = [start]
    position = {start: 0}
    while True:
        before = next(source for source in sources[path[-1]] if source in stuck)
        if before in position:
            cycle = path[position[before] :][::-1]
            first = cycle.index(min(cycle))
            return cycle[first:] + cycle[:first]
        position[before] = len(path)
        path.append(before)


def _report_cycle(scope: Scope, cycle: list[str], findings: Findings) -> None:
    ends = {(source, cycle[(index + 1) % len(cycle)]) for index, source in enumerate(cycle)}
    places = [
        place
        for edge, place in zip(scope.graph.edges, scope.places, strict=True)
        if (edge.source, edge.target) in ends
    ]
    findings.error(
        CYCLE,
        places[-1] if places else scope.node_pointer(cycle[0]),
        f"got the cycle {' -> '.join([*cycle, cycle[0]])}, expected none outside a loop",
        "to repeat nodes put them into a node with until or while",
    )
