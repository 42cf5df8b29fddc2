"""The checks before anything runs: each rule of the contract refused with its code at its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polyphony_schemas.graph.analysis import analyse
from polyphony_schemas.loading import load_melody
from support.formats_documents import errors_of, packages, problems_of, sub_melody

SET = "{uses: core/set, with: {n: 1}}"
SCOPE = "nodes: {s: {uses: core/set, with: {v: 1}}}, outputs: {v: '${ s.v }'}"


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        # names that do not exist
        (f"nodes: {{a: {SET}}}\nconnections: [a -> b]", "PLY1602", "/connections/0"),
        (
            f"nodes: {{a: {SET}, b: {{uses: core/set}}}}\nconnections: [a.x -> b.n]",
            "PLY1603",
            "/connections/0",
        ),
        (f"nodes: {{a: {SET}, b: {{uses: ./work}}}}\nconnections: [a.n -> b.m]", "PLY1603", "/connections/0"),
        (
            f"nodes: {{a: {SET}, b: {{uses: ./work, with: {{n: 1}}}}}}\nconnections: [a.n -> b.level]",
            "PLY1603",
            "/connections/0",
        ),
        (f"nodes: {{a: {SET}, b: {{uses: core/set}}}}\nconnections: [a.n -> b]", "PLY1603", "/connections/0"),
        ("nodes: {a: {uses: ./work, with: {n: 1, nope: 2}}}", "PLY1603", "/nodes/a/with/nope"),
        (f"nodes: {{a: {SET}}}\noutputs: {{x: '${{ a.m }}'}}", "PLY1603", "/outputs/x"),
        (f"nodes: {{a: {SET}}}\noutputs: {{x: '${{ b.m }}'}}", "PLY1103", "/outputs/x"),
        ("nodes: {a: {uses: core/set, when: inputs.nope}}", "PLY1614", "/nodes/a/when"),
        ("nodes: {a: {uses: core/set, when: a}}", "PLY1104", "/nodes/a/when"),
        ("nodes: {a: {uses: core/set, with: {x: 'hi ${ inputs.x }'}}}", "PLY1110", "/nodes/a/with/x"),
        ("nodes: {a: {uses: core/set, with: {x: '${{ inputs.x }}'}}}", "PLY1111", "/nodes/a/with/x"),
        (
            "nodes: {a: {uses: ./work, with: {n: 1, script: 'echo {{ x }}'}}}",
            "PLY1111",
            "/nodes/a/with/script",
        ),
        # values and wires
        ("nodes: {a: {uses: ./work, with: {n: one}}}", "PLY1606", "/nodes/a/with/n"),
        ("nodes: {a: {uses: ./work, with: {n: 1, level: 0}}}", "PLY1606", "/nodes/a/with/level"),
        (
            "nodes: {a: {uses: ./work, with: {n: 1}}, b: {uses: ./work}}\nconnections: [a.text -> b.n]",
            "PLY1607",
            "/connections/0",
        ),
        (
            "nodes: {a: {uses: ./work, with: {n: 1}}, b: {uses: ./work, with: {n: '${ a.text }'}}}",
            "PLY1607",
            "/nodes/b/with/n",
        ),
        (
            "inputs: {s: {schema: {type: string}}}\nnodes: {a: {uses: ./work, with: {n: '${ inputs.s }'}}}",
            "PLY1607",
            "/nodes/a/with/n",
        ),
        (
            "inputs: {s: {schema: {type: string}, default: 1}}\nnodes: {a: {uses: core/set}}",
            "PLY1606",
            "/inputs/s/default",
        ),
        # sources
        ("nodes: {a: {uses: ./work}}", "PLY1605", "/nodes/a"),
        (
            f"nodes: {{a: {SET}, b: {{uses: ./work, with: {{n: 1}}}}}}\nconnections: [a.n -> b.n]",
            "PLY1604",
            "/connections/0",
        ),
        (
            f"nodes: {{a: {SET}, c: {SET}, b: {{uses: ./work}}}}\nconnections: [a.n -> b.n, c.n -> b.n]",
            "PLY1604",
            "/connections/1",
        ),
        (
            "nodes: {a: {uses: ./work, with: {n: 1}, task: {inputs: {n: 2}}}}",
            "PLY1604",
            "/nodes/a/task/inputs/n",
        ),
        # flow
        (
            "nodes: {a: {uses: core/set}, b: {uses: core/set}}\nconnections: [a -> b, b -> a]",
            "PLY1608",
            "/connections/1",
        ),
        ("nodes: {a: {uses: core/set, with: {x: '${ a.x }'}}}", "PLY1608", "/nodes/a/with/x"),
        (
            f"nodes: {{a: {SET}, b: {{uses: core/set, join: {{n: 2}}}}}}\nconnections: [a -> b]",
            "PLY1610",
            "/nodes/b/join",
        ),
        (
            f"nodes: {{a: {SET}, b: {SET}, c: {{uses: core/set}}}}\nconnections: [{{from: a, to: c, when: b.n > 1}}]",
            "PLY1618",
            "/connections/0/when",
        ),
        # scopes
        (
            f"nodes: {{a: {{for_each: {{items: [1]}}, {SCOPE}}}, b: {{uses: core/set}}}}\nconnections: [s.v -> b.x]",
            "PLY1602",
            "/connections/0",
        ),
        (
            f"nodes: {{o: {SET}, a: {{nodes: {{s: {{uses: core/set, with: {{v: '${{ o.n }}'}}}}}}}}}}",
            "PLY1103",
            "/nodes/a/nodes/s/with/v",
        ),
        (f"nodes: {{a: {{for_each: {{items: [1], as: s}}, {SCOPE}}}}}", "PLY1613", "/nodes/a/for_each/as"),
        (
            f"nodes: {{a: {{for_each: {{items: [1, 2], max: 1}}, {SCOPE}}}}}",
            "PLY1612",
            "/nodes/a/for_each/items",
        ),
        (f"nodes: {{a: {{for_each: {{items: inputs.x}}, {SCOPE}}}}}", "PLY1612", "/nodes/a/for_each/items"),
        (f"nodes: {{a: {{with: {{x: 1}}, {SCOPE}}}}}", "PLY1612", "/nodes/a/with"),
        ("nodes: {a: {nodes: {}}}", "PLY1612", "/nodes/a/nodes"),
        ("nodes: {}", "PLY1612", "/nodes"),
        (f"nodes: {{a: {{while: s.v > 1, max: 3, {SCOPE}}}}}", "PLY1103", "/nodes/a/while"),
        (
            f"nodes: {{a: {{for_each: {{items: [], complete_when: inputs.x}}, {SCOPE}}}}}",
            "PLY1103",
            "/nodes/a/for_each/complete_when",
        ),
        (
            "nodes: {a: {mutex: m, nodes: {s: {uses: core/set, mutex: m}}}}",
            "PLY1617",
            "/nodes/a/mutex",
        ),
        # handlers
        ("nodes: {a: {uses: core/set, undo: nope}}", "PLY1611", "/nodes/a/undo"),
        ("nodes: {a: {uses: core/set, undo: a}}", "PLY1611", "/nodes/a/undo"),
        (
            "nodes: {a: {uses: core/set, undo: h}, b: {uses: core/set, undo: h}, h: {uses: core/set}}",
            "PLY1611",
            "/nodes/b/undo",
        ),
        (
            "nodes: {a: {uses: core/set, undo: h}, h: {uses: core/set}}\nconnections: [a -> h]",
            "PLY1611",
            "/connections/0",
        ),
        (
            "nodes: {a: {uses: ./work, with: {n: 1}, on_error: {fallback: [h]}}, h: {uses: core/set}}",
            "PLY1611",
            "/nodes/a/on_error/fallback/0",
        ),
        # joins and certain gaps
        (
            f"nodes: {{a: {SET}, c: {{uses: ./reader, join: any, with: {{path: .}}}}}}\nconnections: [a -> c]\nconfig: {{permissions: {{run: [cat]}}}}",
            "PLY1702",
            "/nodes/c",
        ),
        # core nodes
        ("nodes: {a: {uses: core/wait}}", "PLY1616", "/nodes/a"),
        (
            "nodes: {a: {uses: core/wait, with: {delay: 1s, at: '2030-01-01T00:00:00Z'}}}",
            "PLY1616",
            "/nodes/a",
        ),
        ("nodes: {a: {uses: core/wait, with: {at: tomorrow}}}", "PLY1616", "/nodes/a/with/at"),
        ("nodes: {a: {uses: core/wait, with: {delay: soon}}}", "PLY1606", "/nodes/a/with/delay"),
        (
            "nodes: {a: {uses: core/switch, with: {value: 1, cases: {default: 'true'}}}}",
            "PLY1616",
            "/nodes/a/with/cases/default",
        ),
        (
            "nodes: {a: {uses: core/switch, with: {value: 1, cases: {x: inputs.y}}}}",
            "PLY1103",
            "/nodes/a/with/cases/x",
        ),
        (
            "nodes: {a: {uses: core/switch, with: {value: 1, cases: {x: 'true'}, order: [y]}}}",
            "PLY1616",
            "/nodes/a/with/order",
        ),
        ("nodes: {a: {uses: core/approve}}", "PLY1605", "/nodes/a"),
        ("nodes: {a: {uses: core/stop, with: {status: done}}}", "PLY1606", "/nodes/a/with/status"),
        (
            "nodes: {a: {uses: core/set, permissions: {run: [ls]}}}\nconfig: {permissions: {run: [ls]}}",
            "PLY1616",
            "/nodes/a/permissions",
        ),
        # packages
        (
            "nodes: {a: {uses: acme/caller@^1, undo: b}, b: {uses: core/set}}\nconfig: {extensions: ['polyphony/*']}",
            "PLY1620",
            "/nodes/a/uses",
        ),
        # permissions
        (
            "nodes: {a: {uses: ./reader, with: {path: src}}}\nconfig: {permissions: {read: [docs], run: [cat]}}",
            "PLY1702",
            "/nodes/a",
        ),
        (
            "nodes: {a: {uses: ./caller, undo: b, permissions: {network: ['a:1']}}, b: {uses: core/set}}",
            "PLY1701",
            "/nodes/a/permissions/network/0",
        ),
        # triggers
        (
            "nodes: {a: {uses: core/set}}\ntriggers: [{manual: {inputs: {nope: 1}}}]",
            "PLY1614",
            "/triggers/0/manual/inputs/nope",
        ),
    ],
)
def test_refuses_with_code_and_place(text: str, code: str, pointer: str) -> None:
    assert (code, pointer) in errors_of(text), errors_of(text)


@pytest.mark.parametrize(
    "text",
    [
        f"nodes: {{a: {SET}, b: {SET}, c: {{uses: ./work, join: any}}}}\nconnections: [a.n -> c.n, b.n -> c.n]",
        "nodes: {a: {uses: core/set, with: {x: '${ \"a ${ literal\" }'}}}",
        f"nodes: {{a: {SET}, b: {{uses: core/set, when: has(a.n)}}}}",
        (
            f"nodes: {{a: {SET}, c: {{uses: core/set}}, b: {{uses: core/set}}}}\n"
            "connections: [a -> b, {from: b, to: c, when: a.n > 0}]"
        ),
        (
            "nodes: {a: {uses: core/set, on_error: {compensate: h}},"
            " h: {uses: core/set, with: {x: '${ failed.inputs }', e: '${ error.kind }'}}}"
        ),
        (
            "inputs: {p: {schema: {type: string, format: path}}}\n"
            "nodes: {a: {uses: ./reader, with: {path: '${ inputs.p }'}}}\n"
            "config: {permissions: {read: ['${inputs.p}'], run: [cat]}}"
        ),
        "nodes: {a: {uses: ./reader, with: {path: src/lib}}}\nconfig: {permissions: {read: [src], run: [cat]}}",
    ],
)
def test_takes_what_the_contract_allows(text: str) -> None:
    assert errors_of(text) == []


def warnings_of(text: str) -> list[tuple[str, str]]:
    return [(p.code, p.pointer) for p in problems_of(text) if p.severity == "warning"]


def test_refuses_a_join_that_certainly_leaves_a_required_port_empty_and_warns_of_a_possible_one() -> None:
    two = """
        nodes:
          a: {uses: core/set, with: {x: 1}}
          b: {uses: core/set, with: {x: 1}}
          j: {uses: ./two, join: JOIN}
        connections: [a.x -> j.p, b.x -> j.q]
        """
    outside = sub_melody("inputs: {p: {schema: {}}, q: {schema: {}}}\nnodes: {a: {uses: core/set}}")
    for join, severity in (
        ("any", "error"),
        ("first", "error"),
        ("active", "warning"),
        ("{n: 1}", "warning"),
    ):
        text = two.replace("JOIN", join)
        read = load_melody(("melody: v1\nname: m\nversion: 1.0.0\n" + _dedent(text)).encode())
        found = analyse(read, {**packages(), "./two": outside}).findings
        assert {(f.code, f.severity) for f in found} == {("PLY1610", severity)}, join


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("        ") for line in text.splitlines())


def test_warns_about_a_ceiling_entry_that_no_node_can_use() -> None:
    text = "nodes: {a: {uses: ./reader, with: {path: src}}}\n"
    text += "config: {permissions: {read: [src], run: [cat, make], secrets: [HOOK]}, notify: [{slack: {secret: HOOK}}]}"
    assert warnings_of(text) == [("PLY1703", "/config/permissions/run/1")]


def test_warns_when_a_node_does_not_pass_on_what_its_melody_may_need() -> None:
    inside = "nodes: {a: {uses: core/set}}\nconfig: {permissions: {network: ['a:1'], run: [make]}}"
    known = {**packages(), "./sub": sub_melody(inside)}

    def warned(permissions: str, ceiling: str) -> list[str]:
        text = f"melody: v1\nname: m\nversion: 1.0.0\nnodes: {{a: {{uses: ./sub, permissions: {permissions}}}}}\n"
        text += f"config: {{permissions: {ceiling}}}"
        found = analyse(load_melody(text.encode()), known).findings
        return [f"{one.code} {one.hint}" for one in found if one.code == "PLY1705"]

    network, run = "network: ['a:1']", "run: [make]"
    assert warned(f"{{{network}}}", f"{{{network}, {run}}}") == []
    assert len(warned("{}", f"{{{network}, {run}}}")) == 1  # network must stand at the node
    assert len(warned(f"{{{network}}}", f"{{{network}}}")) == 1
    assert "run: [make] under config.permissions" in warned(f"{{{network}}}", f"{{{network}}}")[0]


def test_warns_about_effects_without_an_undo() -> None:
    assert warnings_of("nodes: {a: {uses: ./caller}}") == [("PLY1619", "/nodes/a")]


def test_warns_about_something_irreversible_before_what_is_taken_back() -> None:
    known = packages()
    mail = replace(known["./work"], effects="irreversible")

    def warned(nodes: str, connections: str) -> list[tuple[str, str]]:
        text = f"melody: v1\nname: m\nversion: 1.0.0\nnodes: {{{nodes}}}\nconnections: [{connections}]"
        found = analyse(load_melody(text.encode()), {**known, "./mail": mail}).findings
        return [(one.code, one.pointer) for one in found if one.severity == "warning"]

    undone = "d: {uses: core/set, undo: back}, back: {uses: core/set}"
    sent = "m: {uses: ./mail, with: {n: 1}}"
    assert warned(f"{sent}, {undone}", "m -> d") == [("PLY1621", "/nodes/m")]
    assert warned(f"{sent}, {undone}", "d -> m") == []
    assert warned(f"b: {{nodes: {{{sent}}}}}, {undone}", "b -> d") == [("PLY1621", "/nodes/b")]
    made_up_for = "m: {uses: ./mail, with: {n: 1}, undo: sorry}, sorry: {uses: core/set}"
    assert warned(f"{made_up_for}, {undone}", "m -> d") == []


def test_refuses_a_fallback_that_lacks_an_input() -> None:
    text = "nodes: {a: {uses: ./reader, with: {path: x}, on_error: {fallback: [h]}}, h: {uses: ./work}}"
    assert ("PLY1611", "/nodes/a/on_error/fallback/0") in errors_of(text)


def test_names_the_line_to_add_for_a_missing_permission() -> None:
    (found,) = list(
        problems_of("nodes: {a: {uses: ./reader, with: {path: src}}}\nconfig: {permissions: {run: [cat]}}")
    )
    assert "node 'a' needs read: [src]" in found.message
    assert found.hint == "add read: [src] under config.permissions"


def test_an_unknown_package_is_an_info_and_nothing_more() -> None:
    (found,) = problems_of(
        "nodes: {a: {uses: other/thing@^1, with: {x: 1}}}\noutputs: {x: '${ a.whatever }'}"
    )
    assert (found.code, found.severity) == ("PLY1601", "info")


def test_reports_one_cycle_once_and_what_waits_behind_it() -> None:
    text = "nodes: {a: {uses: core/set}, b: {uses: core/set}, c: {uses: core/set}}\nconnections: [a -> b, b -> a, b -> c]"
    assert sorted(errors_of(text)) == [("PLY1608", "/connections/1"), ("PLY1609", "/nodes/c")]


def test_bounds_depth_and_number_of_nodes() -> None:
    deep = "{uses: core/set}"
    for _ in range(18):
        deep = f"{{nodes: {{a: {deep}}}}}"
    assert [code for code, _ in errors_of(f"nodes: {{a: {deep}}}")] == ["PLY1615"]
