"""Random graphs for the Conductor: every kind of node and scope, every join, conditions that fail."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from polyphony_schemas.expressions import compile_expression
from polyphony_schemas.graph.core_nodes import CORE
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

_NODES = tuple(f"n{number}" for number in range(9))
ANY = Port({}, required=False)


def expression(text: str) -> Expression:
    return compile_expression(text, nodes=_NODES, names=("round", "done", "state"))


def template(text: str) -> Template:
    return Template(None, {(): expression(text)})


def random_melody(random: Random) -> CompiledMelody:
    graph = _graph(random, random.randint(1, 7), depth=0)
    budget = random.choice([None, None, None, 400])
    return CompiledMelody(
        "random",
        "1.0.0",
        graph,
        {},
        {},
        concurrency=random.choice([1, 2, 32]),
        budget_wall_ms=budget,
        melodies=_melodies(random),
    )


def _melodies(random: Random) -> dict[str, CompiledMelody]:
    """What melody nodes use: one of a random graph without scopes, and one that goes on using itself."""
    outputs = {"value": template("n0.value")}
    used = CompiledMelody("used", "1.0.0", _graph(random, random.randint(1, 3), depth=2), {}, outputs)
    again = replace(_melody_node("n1", Join(), OnError(), "./chain"), when=expression("true"))
    work = GraphNode("n0", "extension", package="./work", any_inputs=ANY, outputs={"value": ANY})
    chain = CompiledMelody("chain", "1.0.0", Graph({"n0": work, "n1": again}, ()), {}, outputs)
    return {"./used": used, "./chain": chain}


def _melody_node(name: str, join: Join, on_error: OnError, package: str) -> GraphNode:
    return GraphNode(
        name,
        "melody",
        package=package,
        join=join,
        on_error=on_error,
        outputs={"value": ANY},
        scope_inputs=True,
        any_inputs=ANY,
        loop=Loop(budget_wall_ms=150 if package == "./used" else None),
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
    if depth < 2 and draw < 0.29:
        package = "./used" if depth or random.random() < 0.8 else "./chain"
        return _melody_node(name, join, on_error, package)
    if 0.7 < draw < 0.85:
        return _waiting(random, name, join, on_error)
    if 0.85 < draw < 0.9:
        return _switch(random, name, join, on_error)
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
        pure=random.random() < 0.3,
    )


def _switch(random: Random, name: str, join: Join, on_error: OnError) -> GraphNode:
    """A choice between the port ``value``, which connections know, and another one."""
    cases = {"value": "value > 1", "other": random.choice(["value == 0", "1 / 0 == 1"])}
    expressions: dict[tuple[str | int, ...], Expression] = {
        (port,): compile_expression(text, nodes=(), names=("value",)) for port, text in cases.items()
    }
    return GraphNode(
        name,
        "core",
        uses="core/switch",
        values={"value": Template(random.randint(0, 2)), "cases": Template(dict(cases), expressions)},
        inputs=CORE["switch"].inputs,
        outputs=dict.fromkeys((*cases, "default"), ANY),
        join=join,
        on_error=on_error,
    )


def _waiting(random: Random, name: str, join: Join, on_error: OnError) -> GraphNode:
    """A node that waits for the world, or sends a signal: to waits, or to what may be a map beside or around it."""
    uses = random.choice(["wait", "wait", "approve", "signal", "signal"])
    values: dict[str, Any] = {}
    if uses == "wait":
        values = random.choice([{"delay": "60ms"}, {"signal": "go"}, {"signal": "go", "timeout": "80ms"}])
    elif uses == "approve":
        values = {"question": "?", **random.choice([{}, {"timeout": "70ms", "on_timeout": "fail"}])}
    else:
        name_of = random.choice(["go", "go", "n0", "n1", "n2"])
        payload = random.choice([1, {"item": 1}, {"item": 2}, {"complete": True}])
        values = {"name": name_of, "payload": payload, "persistent": random.random() < 0.7}
    interface = CORE[uses]
    return GraphNode(
        name,
        "core",
        uses=f"core/{uses}",
        values={key: Template(value) for key, value in values.items()},
        inputs=interface.inputs,
        any_inputs=ANY,
        outputs=interface.outputs,
        join=join,
        on_error=on_error,
    )


def _state(random: Random) -> dict[str, Any]:
    """Nothing, or a state that counts the rounds, and sometimes cannot."""
    if random.random() < 0.5:
        return {}
    following = template(random.choice(["state.n + 1", "state.n + 1", "1 / state.n"]))
    return {"state": {"n": Template(0)}, "next": {"n": following}}


def _scope(random: Random, name: str, depth: int, join: Join, on_error: OnError) -> GraphNode:
    body = _graph(random, random.randint(1, 3), depth + 1)
    inner = next(iter(body.nodes))
    kinds: list[NodeKind] = ["for_each", "for_each", "while", "until", "block"]
    kind = random.choice(kinds)
    if kind == "for_each":
        loop = Loop(
            items=Template(list(range(random.randint(0, 4)))),
            item_name="it",
            parallel=random.randint(1, 3),
            tolerate=random.randint(0, 2),
            complete_when=expression("done >= 2") if random.random() < 0.4 else None,
            rest=random.choice(["cancel", "ignore"]),
            open=random.random() < 0.2,
            max=random.choice([5, 12]),
            parallel_from=random.choice([None, None, template("1 + 1"), template("0")]),
        )
    elif kind == "block":
        loop = Loop(budget_wall_ms=random.choice([None, None, 150]))
    else:
        text = "round < 2" if kind == "while" else f"has({inner}.value)"
        loop = Loop(
            max=random.randint(1, 3),
            condition=expression(text),
            on_max=random.choice(["fail", "accept"]),
            budget_wall_ms=random.choice([None, None, 150]),
            **_state(random),
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
