"""Random handlers, locks and limits upon random graphs, and a world in which people answer halts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Literal

from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.mutexes import key_of
from polyphony_runner.conductor.state import Node, RunState
from polyphony_schemas.graph.model import (
    CompiledMelody,
    Edge,
    Graph,
    GraphNode,
    Limits,
    Loop,
    Mutex,
    OnError,
    Retry,
    Template,
)
from support.conductor_random_graphs import ANY, random_melody, template
from support.conductor_simulation import World

BUDGET = Decimal(3)
Undone = tuple[str, int | None]


def handled_melody(random: Random) -> CompiledMelody:
    """A random melody whose nodes may have fallbacks, compensations, undos, halts, locks and limits."""
    melody = random_melody(random)
    graph = _handled(melody.graph, random, depth=0)
    return replace(melody, graph=graph, budget_usd=str(BUDGET) if random.random() < 0.5 else None)


def _handled(graph: Graph, random: Random, depth: int) -> Graph:
    nodes: dict[str, GraphNode] = {}
    for name, node in graph.nodes.items():
        handlers: dict[str, GraphNode] = {}
        on_error = _on_error(node, random, handlers)
        undo = _handler(f"{name}_undo", random, handlers) if random.random() < 0.4 else None
        nodes[name] = replace(node, on_error=on_error, undo=undo)
        if node.kind == "extension":
            nodes[name] = _bounded(nodes[name], random)
        if node.body is not None:
            mutex = Mutex("region") if depth == 0 and random.random() < 0.3 else None
            nodes[name] = replace(nodes[name], body=_handled(node.body, random, depth + 1), mutex=mutex)
        nodes |= handlers
    return Graph(nodes, graph.edges)


def _bounded(node: GraphNode, random: Random) -> GraphNode:
    scope: Literal["run", "melody"] = random.choice(["run", "melody"])
    mutex = Mutex(random.choice(["one", "two"]) + scope, scope) if random.random() < 0.3 else None
    limits = Limits(usd=random.choice(["1", "2"])) if random.random() < 0.4 else Limits()
    return replace(node, mutex=mutex, limits=limits)


def _on_error(node: GraphNode, random: Random, handlers: dict[str, GraphNode]) -> OnError:
    policy = node.on_error
    if random.random() < 0.4:
        names = [f"{node.id}_spare{number}" for number in range(random.randint(1, 2))]
        policy = replace(policy, fallback=tuple(_handler(name, random, handlers) for name in names))
    if policy.final == "fail" and random.random() < 0.3:
        clean = _handler(f"{node.id}_clean", random, handlers)
        return replace(policy, final="compensate", compensate=clean)
    if policy.final == "fail" and random.random() < 0.2:
        return replace(policy, final="halt", halt={"notify": []})
    return policy


def _handler(name: str, random: Random, handlers: dict[str, GraphNode]) -> str:
    retry = Retry(max=1, delay_ms=0) if random.random() < 0.3 else None
    undo = None
    if "spare" in name and random.random() < 0.4:
        undo = _handler(f"{name}_undo", random, handlers)
    node = _acting(name, random)
    handlers[name] = replace(node, on_error=OnError(retry=retry), undo=undo, handler=True)
    return name


def _acting(name: str, random: Random) -> GraphNode:
    """What a handler is: mostly a program, sometimes a node of the Conductor, a block or a map of programs."""
    program = GraphNode(
        name, "extension", uses="./work", package="./work", any_inputs=ANY, outputs={"value": ANY}
    )
    draw = random.random()
    if draw < 0.7:
        return program
    if draw < 0.8:
        return replace(program, kind="core", uses="core/set", package=None, values={"value": Template(2)})
    first, second = (replace(program, id=inner) for inner in ("n0", "n1"))
    body = Graph({"n0": first, "n1": second}, (Edge("n0", "n1", "value", "x"),))
    scope = replace(
        program, uses=None, package=None, body=body, scope_outputs={"value": template("n0.value")}
    )
    if draw < 0.9:
        return replace(scope, kind="block", loop=Loop())
    return replace(scope, kind="for_each", loop=Loop(items=Template([1, 2]), parallel=2, tolerate=1))


@dataclass
class HandledWorld(World):
    """Watches locks and undos at every event; a halted run is resumed, and aborted when it halts too often."""

    halts: int = 0
    completed: list[Undone] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)

    def moment(self) -> Moment:
        return replace(super().moment(), locks=dict(self.state.shared))

    def record(self, draft: Draft) -> None:
        super().record(draft)
        node = self.state.nodes.get(draft.node or "")
        executed = draft.type == "node.succeeded" and draft.attempt is not None
        if executed and node is not None and _can_be_undone(node):
            self.completed.append((node.path, draft.attempt))
        if draft.type == "undo.started":
            assert (draft.node, draft.attempt) == self.completed[-1 - len(self.undone)]
            self.undone.append((draft.node or "", draft.attempt))
        check_locks(self.state)

    def act(self) -> None:
        if self.state.status == "halted":
            self.halts += 1
            self.crash()
            if self.halts > 3 and self.state.ending is None:
                self.record(Draft("run.cancelling", None, None, {"reason": "requested"}))
            return
        self._claim()
        super().act()

    def _claim(self) -> None:
        """A running node reports some of what it may spend."""
        for path in self.state.running:
            reserve = self.state.nodes[path].reserve
            if reserve and reserve["usd"] > 0 and self.random.random() < 0.5:
                usd = reserve["usd"] * self.random.randint(0, 4) / 4
                self.record(Draft("node.usage", path, None, {"model": "m", "usd": f"{usd:f}"}))
                return


def _can_be_undone(node: Node) -> bool:
    return (
        node.spec.undo is not None and node.by is None and (node.duty is None or node.duty.kind == "fallback")
    )


def check_locks(state: RunState) -> None:
    """No lock is held by two nodes that run."""
    running = [state.nodes[path] for path in state.running]
    held = Counter(key_of(state, node, node.spec.mutex) for node in running if node.spec.mutex is not None)
    assert all(count == 1 for count in held.values()), held
    regions = [node for node in state.nodes.values() if node.spec.mutex == Mutex("region")]
    assert sum(node.phase in ("running", "retrying") for node in regions) <= 1
