"""Compiling: references become edges, texts become numbers, features are named, nothing is lost as JSON."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.codec import dumps, from_json, loads
from polyphony_schemas.graph.compile import compile_melody
from polyphony_schemas.graph.model import CompiledMelody, Limits
from polyphony_schemas.loading import load_melody
from support.formats_documents import analysed, melody, packages

FULL = """
inputs: {n: {schema: {type: integer}, default: 1}, path: {schema: {type: string, format: path}, default: .}}
nodes:
  a:
    uses: ./work
    with: {n: "${ inputs.n }"}
    task: {outputs: {format: json, schema: {type: array}}, parameters: {level: 2}, conditions: ["inputs.n > 0"]}
  b: {uses: ./work, when: "a.n > 1 && a.text != ''", with: {n: "${ a.n }"}, limits: {timeout: 10m, memory: 1GiB}}
  r: {uses: ./reader, with: {path: "${ inputs.path }"}, permissions: {read: ["${ inputs.path }"]}}
  each:
    for_each: {items: "${ [a.n] }", as: item_n, parallel: 4}
    nodes: {s: {uses: core/set, with: {v: "${ item_n + index }"}}}
    outputs: {v: "${ s.v }"}
  fix:
    until: "s.v > 2"
    max: 5
    state: {n: "${ b.n }"}
    nodes: {s: {uses: core/set, with: {v: "${ state.n + round }"}}}
    next: {n: "${ s.v }"}
    outputs: {n: "${ s.v }"}
  m:
    uses: core/merge
    join: active
    with: {mode: list}
    on_error: {retry: {when: "error.kind == 'network'"}, skip: {outputs: {value: []}}}
connections:
  - each.v -> m.x
  - {from: fix.n, to: m.y, when: "fix.n > 1 && inputs.n > 0"}
  - b -> m
outputs: {v: "${ m.value }", n: "${ fix.n }"}
config: {permissions: {read: ["${ inputs.path }"], run: [cat]}, limits: {total: 1h}, budget: {wall: 1m, usd: "2.00"},
         extensions: ["acme/*"]}
"""


def compiled(text: str) -> CompiledMelody:
    return compile_melody(load_melody(melody(text)), packages())


def test_references_become_connections() -> None:
    edges = compiled(FULL).graph.edges
    implied = {(e.source, e.source_port, e.target) for e in edges if e.reference}
    assert implied == {
        ("a", "n", "b"),
        ("a", "text", "b"),
        ("a", "n", "each"),
        ("b", "n", "fix"),
    }
    assert [(e.source, e.target, e.when is not None) for e in edges if not e.reference] == [
        ("each", "m", False),
        ("fix", "m", True),
        ("b", "m", False),
    ]


def test_times_and_sizes_become_numbers() -> None:
    graph = compiled(FULL).graph
    assert graph.nodes["b"].limits == Limits(timeout_ms=600_000, memory=1 << 30)
    assert compiled(FULL).limits.total_ms == 3_600_000
    assert compiled(FULL).budget_wall_ms == 60_000


def test_a_task_s_inputs_and_parameters_are_values_of_the_node() -> None:
    node = compiled(FULL).graph.nodes["a"]
    assert node.values["level"].value == 2
    assert [c.source for c in node.conditions] == ["inputs.n > 0"]
    assert node.task["outputs"].value == {"format": "json", "schema": {"type": "array"}}
    assert node.outputs["made"].schema == {"type": "array"}


def test_retries_default_to_none_and_a_bare_retry_to_three() -> None:
    nodes = compiled(FULL).graph.nodes
    assert nodes["a"].on_error.retry is None
    retry = nodes["m"].on_error.retry
    assert retry is not None
    assert (retry.max, retry.delay_ms, retry.max_delay_ms, retry.factor) == (3, 1000, 60_000, 2.0)


def test_the_outputs_of_a_loop_have_the_types_of_what_they_name() -> None:
    graph = compiled(
        """
        nodes:
          each:
            for_each: {items: [1]}
            nodes: {w: {uses: ./work, with: {n: "${ item }"}}}
            outputs: {n: "${ w.n }"}
        """
    ).graph
    assert graph.nodes["each"].outputs["n"].schema == {
        "type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }


def test_a_node_knows_what_its_package_declares() -> None:
    graph = compiled(FULL).graph
    assert graph.nodes["r"].declared["read"].value == ["${ inputs.path }"]
    assert graph.nodes["r"].declared["run"].value == ["cat"]
    caller = compiled("nodes: {c: {uses: ./caller, undo: u}, u: {uses: core/set}}").graph.nodes["c"]
    assert caller.granted == {"network", "secrets", "models"}
    assert caller.effects == "undoable"


@pytest.mark.parametrize(
    ("nodes", "feature"),
    [
        ("{a: {nodes: {b: {uses: core/set}}}}", "block"),
        ("{a: {for_each: {items: [], open: true}, nodes: {b: {uses: core/set}}}}", "open map"),
        ("{a: {uses: core/switch, with: {value: 1, cases: {one: 'value == 1'}}}}", "core/switch"),
        ("{a: {uses: core/wait, with: {delay: 1s}}}", "core/wait"),
        ("{a: {uses: core/approve, with: {question: ok}}}", "core/approve"),
        ("{a: {uses: core/signal, with: {name: go}}}", "core/signal"),
        ("{a: {uses: core/set, on_error: {fallback: [b]}}, b: {uses: core/set}}", "fallback"),
        ("{a: {uses: core/set, on_error: {compensate: b}}, b: {uses: core/set}}", "compensate"),
        ("{a: {uses: core/set, undo: b}, b: {uses: core/set}}", "undo"),
        ("{a: {uses: core/set, on_error: {halt: {}}}}", "halt"),
        ("{a: {uses: core/set, mutex: m}}", "mutex"),
        ("{a: {for_each: {items: [], max: '${ 3 }'}, nodes: {b: {uses: core/set}}}}", "computed bounds"),
    ],
)
def test_names_what_a_runner_must_support(nodes: str, feature: str) -> None:
    assert compiled(f"nodes: {nodes}").features == {feature}


def test_the_basics_need_no_feature() -> None:
    assert compiled(FULL).features == frozenset()


def test_handlers_are_marked() -> None:
    graph = compiled(
        "nodes: {a: {uses: core/set, undo: b}, b: {uses: core/set, with: {x: '${ undone.inputs }'}}}"
    ).graph
    assert graph.nodes["b"].handler
    assert graph.edges == ()


def test_a_melody_with_errors_or_unknown_packages_does_not_compile() -> None:
    with pytest.raises(FormatError, match="cannot run") as caught:
        compiled("nodes: {a: {uses: acme/unknown@^1}}")
    assert caught.value.code == "PLY1600"
    with pytest.raises(FormatError, match="cannot run"):
        compiled("nodes: {a: {uses: core/set, with: {x: '${ b.n }'}}}")


def test_analysis_gives_the_graph_of_a_melody_with_errors_too() -> None:
    found = analysed("nodes: {a: {uses: acme/unknown@^1, with: {x: '${ inputs.n }'}}}")
    assert "a" in found.compiled.graph.nodes


def test_survives_json_without_loss() -> None:
    before = compiled(FULL)
    assert loads(dumps(before)) == before


def test_refuses_another_version_and_damage() -> None:
    for data in (b"{}", b"[", b'{"graph": 2, "melody": {}}', b'{"graph": 1, "melody": {"nope": 1}}'):
        with pytest.raises(FormatError) as caught:
            loads(data)
        assert caught.value.code == "PLY1630"


_ID = st.from_regex(r"[a-z]{1,3}_", fullmatch=True)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text("ab{} ", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ID, inner, max_size=3),
    max_leaves=6,
)
_NODE = st.fixed_dictionaries(
    {"uses": st.sampled_from(["core/set", "core/merge", "./work", "./caller"])},
    optional={
        "with": st.dictionaries(_ID, _JSON | st.sampled_from(["${ inputs.n }", "${ [1, 2] }"]), max_size=3),
        "join": st.sampled_from(["any", "first", "active", {"n": 1, "cancel": True}]),
        "limits": st.sampled_from([{}, {"timeout": "5s", "usd": "0.10"}]),
        "on_error": st.sampled_from([{"skip": True}, {"retry": {}}, {"halt": {"after": "1h"}}]),
        "mutex": st.sampled_from(["m_", {"name": "m_", "scope": "melody"}]),
    },
)
_SCOPE = st.recursive(
    st.dictionaries(_ID, _NODE, min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        _ID,
        _NODE
        | st.builds(lambda nodes: {"nodes": nodes}, inner)
        | st.builds(lambda nodes, items: {"for_each": {"items": items}, "nodes": nodes}, inner, st.just([1])),
        min_size=1,
        max_size=3,
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(_SCOPE)
def test_any_graph_survives_json(nodes: dict[str, object]) -> None:
    from polyphony_schemas.graph.analysis import analyse
    from polyphony_schemas.graph.codec import to_json
    from polyphony_schemas.melody import Melody

    document = {
        "melody": "v1",
        "name": "m",
        "version": "1.0.0",
        "nodes": nodes,
        "inputs": {"n": {"default": 1}},
    }
    graph = analyse(Melody.model_validate(document), packages()).compiled
    assert loads(dumps(graph)) == graph
    assert from_json(to_json(graph)) == graph


def test_reading_a_kept_graph_imports_neither_the_yaml_reader_nor_jsonschema() -> None:
    code = "import sys, polyphony_schemas.graph.codec; print({'yaml', 'jsonschema', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
