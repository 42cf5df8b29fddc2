"""The melodies that are run while processes are killed: every kind of progress that a kill can interrupt.

Nodes take 50 to 200 ms. What a node is given says how it behaves (``chaos_worker.act``); a fallback is given what the
node it stands in for was given, as far as it says nothing else.
"""

from __future__ import annotations

from typing import Any

from polyphony_schemas.graph.model import CompiledMelody
from support.conductor_graphs import compiled, core, needs, work

SIGNAL, ASKED = "go", "ask"


def chaos_melodies() -> dict[str, CompiledMelody]:
    """By name. Each ends the same way however often what executes it is killed."""
    return {
        "loops and maps": _loops_and_maps(),
        "fan": _fan(),
        "fallback": _fallback(),
        "compensation": _compensation(),
        "halt": _halt(),
        "waits": _waits(),
    }


def _node(name: str, *after: str, **keys: Any) -> dict[str, Any]:
    given = {"ms": 50 + sum(map(ord, name)) * 37 % 151, **keys.pop("given", {}), **needs(*after)}
    return work(given=given, **keys)


def _loops_and_maps() -> CompiledMelody:
    nodes = {
        "a": _node("a"),
        "each": {
            "for_each": {"items": "${ a.value == 1 ? [1, 2, 3, 4, 5] : [] }", "as": "item", "parallel": 3},
            "nodes": {"one": _node("one"), "two": _node("two", "one")},
            "outputs": {"value": "${ two.value }"},
        },
        "rounds": {
            "until": "n.value >= 3",
            "max": 5,
            "state": {"n": "${ size(each.value) - 5 }"},
            "nodes": {"turn": _node("turn"), "n": core("set", {"value": "${ state.n + turn.value }"})},
            "next": {"n": "${ n.value }"},
            "outputs": {"n": "${ n.value }"},
        },
    }
    return compiled(nodes, outputs={"n": "${ rounds.n }"})


def _fan() -> CompiledMelody:
    leaves = [f"leaf{number}" for number in range(6)]
    nodes = {"root": _node("root"), **{leaf: _node(leaf, "root") for leaf in leaves}}
    return compiled({**nodes, "joined": _node("joined", *leaves)}, outputs={"value": "${ joined.value }"})


def _fallback() -> CompiledMelody:
    nodes = {
        "a": _node("a"),
        "bad": _node(
            "bad",
            "a",
            given={"fail": True},
            on_error={"retry": {"max": 1, "delay": "20ms"}, "fallback": ["worse", "spare"]},
        ),
        "worse": _node("worse", given={"fail": True}),
        "spare": _node("spare", given={"fail": False, "value": 7}),
        "last": _node("last", "bad"),
    }
    return compiled(nodes, outputs={"value": "${ bad.value }", "last": "${ last.value }"})


def _compensation() -> CompiledMelody:
    nodes = {
        "one": _node("one", undo="unone"),
        "two": _node("two", "one", undo="untwo"),
        "bad": _node("bad", "two", given={"fail": True}, on_error={"compensate": "clean"}),
        "unone": _node("unone"),
        "untwo": _node("untwo"),
        "clean": _node("clean"),
    }
    return compiled(nodes)


def _halt() -> CompiledMelody:
    nodes = {
        "a": _node("a"),
        "broken": _node("broken", "a", given={"needs": "repaired"}, on_error={"halt": {}}),
        "z": _node("z", "broken"),
    }
    return compiled(nodes, outputs={"value": "${ z.value }"})


def _waits() -> CompiledMelody:
    nodes = {
        "a": _node("a"),
        "pause": core("wait", {"delay": "300ms"}),
        "signalled": core("wait", {"signal": SIGNAL}),
        ASKED: core("approve", {"question": "Go on?"}),
        "z": _node("z"),
    }
    wires = ["a -> pause", "pause -> signalled", f"signalled -> {ASKED}", f"{ASKED} -> z"]
    outputs = {"payload": "${ signalled.payload }", "approved": "${ ask.approved }"}
    return compiled(nodes, wires, outputs=outputs)
