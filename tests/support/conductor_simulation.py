"""Random graphs, and a driver that lets a random world act on the pure core: no processes, no clock, no files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from polyphony_runner.conductor.conclude import conclude
from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import Stored
from polyphony_runner.runtimes.protocol import Failure, Success
from polyphony_schemas.expressions import compile_expression
from polyphony_schemas.graph.model import (
    CompiledMelody,
    Edge,
    Expression,
    Graph,
    GraphNode,
    Join,
    Loop,
    NodeKind,
    OnError,
    Port,
    Retry,
    Template,
)
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue

_NODES = tuple(f"n{number}" for number in range(9))
ANY = Port({}, required=False)


class NoValues:
    """Nothing lies outside: simulated values are small."""

    def load(self, stored: Stored) -> JsonValue:
        raise AssertionError(f"nothing is stored, asked for {stored}")


def expression(text: str) -> Expression:
    return compile_expression(text, nodes=_NODES, names=("round", "done"))


def template(text: str) -> Template:
    return Template(None, {(): expression(text)})


def random_melody(random: Random) -> CompiledMelody:
    graph = _graph(random, random.randint(1, 7), depth=0)
    budget = random.choice([None, None, None, 400])
    return CompiledMelody(
        "random", "1.0.0", graph, {}, {}, concurrency=random.choice([1, 2, 32]), budget_wall_ms=budget
    )


def _graph(random: Random, size: int, depth: int) -> Graph:
    names = [f"n{number}" for number in range(size)]
    nodes = {name: _node(random, name, depth) for name in names}
    edges = []
    for place, target in enumerate(names):
        edges += [_edge(random, source, target) for source in names[:place] if random.random() < 0.4]
    incoming = {name: sum(edge.target == name for edge in edges) for name in names}
    for name, node in nodes.items():
        if node.join.kind == "n" and node.join.count > max(1, incoming[name]):
            nodes[name] = _with_join(node, Join("all"))
    return Graph(nodes, tuple(edges))


def _with_join(node: GraphNode, join: Join) -> GraphNode:
    return replace(node, join=join)


def _edge(random: Random, source: str, target: str) -> Edge:
    kind = random.random()
    if kind < 0.3:
        return Edge(source, target, "value", "x")
    when = random.choice([None, None, "true", "false", f"{source}.value > 1", "1 / 0 == 1"])
    return Edge(source, target, when=expression(when) if when else None)


def _join(random: Random) -> Join:
    kind = random.choice(["all", "all", "active", "any", "first", "n"])
    if kind == "n":
        return Join("n", random.randint(1, 3), random.random() < 0.5)
    return Join(kind, cancel=kind == "first")  # type: ignore[arg-type]  # drawn from the literal's values


def _on_error(random: Random) -> OnError:
    retry = (
        Retry(max=random.randint(0, 2), delay_ms=random.choice([0, 50])) if random.random() < 0.4 else None
    )
    final = "skip" if random.random() < 0.4 else "fail"
    outputs = template('{"value": 7}') if final == "skip" and random.random() < 0.5 else None
    return OnError(retry=retry, final=final, skip_outputs=outputs)  # type: ignore[arg-type]  # one of the two


def _node(random: Random, name: str, depth: int) -> GraphNode:
    join, on_error = _join(random), _on_error(random)
    when = random.choice([None, None, None, None, "true", "false", "1 / 0 == 1"])
    condition = expression(when) if when else None
    draw = random.random()
    if depth < 2 and draw < 0.25:
        return _scope(random, name, depth, join, on_error)
    if draw < 0.35:
        uses = random.choice(["set", "merge", "raise", "stop"] if depth else ["set", "merge", "raise"])
        values = {
            "set": {"value": Template(2)},
            "raise": {"kind": Template("exit"), "message": Template("m")},
        }
        return GraphNode(
            name,
            "core",
            uses=f"core/{uses}",
            values=values.get(uses, {}),
            join=join,
            on_error=on_error,
            when=condition,
        )
    return GraphNode(
        name,
        "extension",
        uses="./work",
        package="./work",
        any_inputs=ANY,
        outputs={"value": ANY},
        join=join,
        on_error=on_error,
        when=condition,
    )


def _scope(random: Random, name: str, depth: int, join: Join, on_error: OnError) -> GraphNode:
    body = _graph(random, random.randint(1, 3), depth + 1)
    inner = next(iter(body.nodes))
    kinds: list[NodeKind] = ["for_each", "while", "until"]
    kind = random.choice(kinds)
    if kind == "for_each":
        loop = Loop(
            items=Template(list(range(random.randint(0, 4)))),
            item_name="it",
            parallel=random.randint(1, 3),
            tolerate=random.randint(0, 2),
            complete_when=expression("done >= 2") if random.random() < 0.4 else None,
            rest=random.choice(["cancel", "ignore"]),
        )
    else:
        text = "round < 2" if kind == "while" else f"has({inner}.value)"
        loop = Loop(
            max=random.randint(1, 3),
            condition=expression(text),
            on_max=random.choice(["fail", "accept"]),
            budget_wall_ms=random.choice([None, None, 150]),
        )
    outputs = {"value": template(f"{inner}.value")} if "value" in body.nodes[inner].outputs else {}
    return GraphNode(
        name,
        kind,
        join=join,
        on_error=on_error,
        loop=loop,
        body=body,
        outputs={"value": ANY},
        scope_outputs=outputs,
    )


@dataclass
class World:
    """Plays a run; every event is kept, so that a crash is a replay."""

    melody: CompiledMelody
    random: Random
    chaos: bool = True
    events: list[Event] = field(default_factory=list)
    now: int = 1000
    state: RunState = field(init=False)

    def __post_init__(self) -> None:
        self.state = RunState(self.melody, NoValues())
        self.record(Draft("run.created"))
        self.record(Draft("run.started"))

    def record(self, draft: Draft) -> None:
        event = Event(self.state.next_seq, self.now, draft.type, draft.node, draft.attempt, draft.data)
        evolve(self.state, event)
        self.events.append(event)

    def moment(self) -> Moment:
        return Moment(self.now, self.random.uniform(-1, 1))

    def replayed(self) -> RunState:
        state = RunState(self.melody, NoValues())
        for event in self.events:
            evolve(state, event)
        return state

    def play(self, steps: int = 5000) -> None:
        for _ in range(steps):
            if self.state.finished:
                return
            drafts = decide(self.state, self.moment())
            if drafts:
                for draft in drafts:
                    self.record(draft)
                if self.chaos and not self.state.finished and self.random.random() < 0.02:
                    self.crash()
            else:
                self.act()
        raise AssertionError("the run does not end")

    def act(self) -> None:
        """Something happens outside: an outcome, time, a person, a crash."""
        draw = self.random.random()
        if self.chaos and draw < 0.05:
            self.crash()
        elif self.chaos and draw < 0.08:
            self.interrupt()
        elif self.chaos and draw < 0.1 and self.state.ending is None:
            paths = [None, *self.state.nodes, *(path for path in self.state.frames if path)]
            self.record(Draft("run.cancelling", self.random.choice(paths), None, {"reason": "requested"}))
        elif self.state.interrupts and self.random.random() < 0.7:
            self.finish(next(iter(self.state.interrupts)), Failure("cancelled", "", retryable=False))
        elif self.state.running and (not self.state.timers or self.random.random() < 0.8):
            self.now += self.random.randint(0, 30)
            self.finish(self.random.choice(list(self.state.running)), self.outcome())
        else:
            assert self.state.timers, "the run can neither go on nor end"
            self.now = max(self.now, self.state.timers[0][0])

    def outcome(self) -> Success | Failure:
        if self.random.random() < 0.7:
            return Success({"value": self.random.randint(0, 3)} if self.random.random() < 0.8 else {})
        return Failure("exit", "failed", retryable=self.random.random() < 0.8)

    def finish(self, path: str, outcome: Success | Failure) -> None:
        draft = conclude(self.state, path, self.state.running[path], outcome, self.moment())
        assert draft is not None
        self.record(draft)

    def crash(self) -> None:
        """The process is gone; another one replays the journal and goes on."""
        again = self.replayed()
        assert again.facts() == self.state.facts()
        self.state = again
        self.now += 100
        self.record(Draft("run.resumed"))

    def interrupt(self) -> None:
        for path, attempt in list(self.state.running.items()):
            node = self.state.nodes[path]
            reason = "interrupted" if node.cancelling is None else node.cancelling
            self.record(Draft("node.cancelled", path, attempt, {"reason": reason}))
        self.record(Draft("run.halted", None, None, {"reason": "interrupted"}))
        assert decide(self.state, self.moment()) == ()
        self.crash()
