"""Secrets are followed over every kind of data connection, to hosts for which nobody granted them."""

from __future__ import annotations

import time

import pytest

from polyphony_schemas.problems import Problem
from support.formats_documents import problems_of

HOLDS = "{uses: ./caller, undo: u, permissions: {secrets: [TOKEN], network: ['own:1']}}"
ALONE = "{uses: ./caller, undo: u, permissions: {secrets: [TOKEN]}}"
UNDO = "u: {uses: core/set}"
CEILING = "config: {permissions: {secrets: [TOKEN, OTHER], network: ['own:1', 'else:1', package-index]}}"


def talks(x: str = "", secrets: str = "", host: str = "else:1", undo: str = "v") -> str:
    named = f", secrets: [{secrets}]" if secrets else ""
    given = f"x: '${{ {x} }}'" if x else ""
    return f"{{uses: ./caller, undo: {undo}, with: {{{given}}}, permissions: {{network: ['{host}']{named}}}}}"


def flows(text: str) -> list[Problem]:
    found = [one for one in problems_of(text + "\n" + CEILING) if one.severity == "error"]
    assert {one.code for one in found} <= {"PLY1706"}, found
    return found


def graph(nodes: str, connections: str = "[]") -> str:
    return f"nodes: {{{nodes}, {UNDO}, v: {{uses: core/set}}}}\nconnections: {connections}"


DIRECT = graph(f"a: {HOLDS}, b: {talks()}", "[a.answer -> b.x]")


def test_says_the_way_the_hosts_and_how_to_allow_it() -> None:
    (found,) = flows(
        graph(
            f"a: {HOLDS}, m: {{uses: core/set, with: {{x: '${{ a.answer }}'}}}}, b: {talks()}",
            "[m.x -> b.x]",
        )
    )
    assert found.pointer == "/nodes/b/permissions/network"
    assert "'TOKEN'" in found.message
    assert "else:1 by a → m → b" in found.message
    assert "add TOKEN to permissions.secrets of node 'b'" in found.hint


LEAKS = {
    "a connection": DIRECT,
    "a reference in with": graph(f"a: {HOLDS}, b: {talks('a.answer')}"),
    "a reference in a task": graph(
        f"a: {HOLDS}, b: {{uses: ./caller, undo: v, task: {{objective: '${{ string(a.answer) }}'}},"
        " permissions: {network: ['else:1']}}"
    ),
    "a core node": graph(
        f"a: {HOLDS}, m: {{uses: core/merge}}, b: {talks()}", "[a.answer -> m.x, m.value -> b.x]"
    ),
    "a holder without network": graph(f"a: {ALONE}, b: {talks()}", "[a.answer -> b.x]"),
    "the package index": graph(f"a: {HOLDS}, b: {talks(host='package-index')}", "[a.answer -> b.x]"),
    "another secret at the sink": graph(f"a: {HOLDS}, b: {talks(secrets='OTHER')}", "[a.answer -> b.x]"),
    "into a block": graph(
        f"a: {HOLDS}, s: {{inputs: {{x: {{schema: {{}}}}}}, with: {{x: '${{ a.answer }}'}},"
        f" nodes: {{b: {talks('inputs.x', undo='w')}, w: {{uses: core/set}}}}}}"
    ),
    "a connection to a block": graph(
        f"a: {HOLDS}, s: {{inputs: {{x: {{schema: {{}}}}}},"
        f" nodes: {{b: {talks('inputs.x', undo='w')}, w: {{uses: core/set}}}}}}",
        "[a.answer -> s.x]",
    ),
    "out of a block": graph(
        f"s: {{nodes: {{a: {HOLDS}, {UNDO}}}, outputs: {{x: '${{ a.answer }}'}}}}, b: {talks()}",
        "[s.x -> b.x]",
    ),
    "the items of a map": graph(
        f"a: {HOLDS}, s: {{for_each: {{items: '${{ [a.answer] }}', as: one}},"
        f" nodes: {{b: {talks('one', undo='w')}, w: {{uses: core/set}}}}}}"
    ),
    "the state of a loop": graph(
        f"a: {HOLDS}, s: {{while: 'state.n < 3', max: 3, state: {{n: 1, x: '${{ a.answer }}'}},"
        " next: {n: '${ state.n + 1 }', x: '${ state.x }'},"
        f" nodes: {{b: {talks('state.x', undo='w')}, w: {{uses: core/set}}}}}}"
    ),
    "the next round": graph(
        "s: {while: 'state.n < 3', max: 3, state: {n: 1, x: 1}, next: {n: '${ state.n + 1 }', x: '${ a.answer }'},"
        f" nodes: {{a: {HOLDS}, b: {talks('state.x', undo='w')}, {UNDO}, w: {{uses: core/set}}}}}}"
    ),
    "a fallback gets the inputs": graph(
        f"a: {HOLDS}, c: {{uses: ./caller, undo: z, with: {{x: '${{ a.answer }}'}}, on_error: {{fallback: [b]}}}},"
        f" b: {talks()}, z: {{uses: core/set}}"
    ),
    "a fallback gives the outputs": graph(
        f"c: {{uses: ./caller, undo: z, on_error: {{fallback: [a]}}}}, a: {HOLDS}, b: {talks()}, z: {{uses: core/set}}",
        "[c.answer -> b.x]",
    ),
    "a compensation": graph(
        f"a: {{uses: ./caller, undo: u, permissions: {{secrets: [TOKEN]}}, on_error: {{compensate: b}}}},"
        f" b: {talks('error.message')}"
    ),
    "an undo": f"nodes: {{a: {{uses: ./caller, undo: b, permissions: {{secrets: [TOKEN]}}}},"
    f" b: {talks('undone.outputs')}, v: {{uses: core/set}}}}",
    "what is given for a skipped node": graph(
        "a: {uses: ./caller, undo: u, permissions: {secrets: [TOKEN]},"
        " on_error: {skip: {outputs: {answer: {m: '${ error.message }'}}}}}"
        f", b: {talks()}",
        "[a.answer -> b.x]",
    ),
    "a signal": graph(
        f"a: {HOLDS}, s: {{uses: core/signal, with: {{name: go, payload: '${{ a.answer }}'}}}},"
        f" w: {{uses: core/wait, with: {{signal: go}}}}, b: {talks()}",
        "[w.payload -> b.x]",
    ),
}
SAFE = {
    "the secret is named at the sink": graph(f"a: {HOLDS}, b: {talks(secrets='TOKEN')}", "[a.answer -> b.x]"),
    "the host is the holder's own": graph(f"a: {HOLDS}, b: {talks(host='own:1')}", "[a.answer -> b.x]"),
    "another node was granted both": graph(
        f"a: {HOLDS}, b: {talks()}, c: {talks(secrets='TOKEN', undo='w')}, w: {{uses: core/set}}",
        "[a.answer -> b.x]",
    ),
    "only the order": graph(f"a: {HOLDS}, b: {talks()}", "[a -> b]"),
    "only a condition": graph(
        f"a: {HOLDS}, b: {{uses: ./caller, undo: v, when: size(a.answer) > 0, permissions: {{network: ['else:1']}}}}"
    ),
    "the other direction": graph(f"a: {HOLDS}, b: {talks()}", "[b.answer -> a.x]"),
    "a sink without network": graph(f"a: {HOLDS}, b: {{uses: ./caller, undo: v}}", "[a.answer -> b.x]"),
    "an extension that asks for no network": graph(
        f"a: {HOLDS}, b: {{uses: ./work, with: {{n: '${{ int(a.answer.n) }}'}}, permissions: {{network: ['else:1']}}}}"
    ),
    "another signal": graph(
        f"a: {HOLDS}, s: {{uses: core/signal, with: {{name: go, payload: '${{ a.answer }}'}}}},"
        f" w: {{uses: core/wait, with: {{signal: come}}}}, b: {talks()}",
        "[w.payload -> b.x]",
    ),
    "a block that does not look at its input": graph(
        f"a: {HOLDS}, s: {{inputs: {{x: {{schema: {{}}}}}}, with: {{x: '${{ a.answer }}'}},"
        f" nodes: {{b: {talks('1', undo='w')}, w: {{uses: core/set}}}}}}"
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_follows(name: str) -> None:
    assert [one.message for one in flows(LEAKS[name])], name


@pytest.mark.parametrize("name", SAFE)
def test_lets_be(name: str) -> None:
    assert [one.message for one in flows(SAFE[name])] == []


def test_naming_the_secret_at_the_sink_is_no_grant_without_effect() -> None:
    text = graph(
        f"a: {HOLDS}, b: {{uses: ./caller, undo: v, permissions: {{network: ['else:1'], secrets: [TOKEN]}}}}",
        "[a.answer -> b.x]",
    )
    assert not [one for one in problems_of(text + "\n" + CEILING) if one.code == "PLY1704"]


def test_thousands_of_nodes_with_secrets_of_their_own_are_checked_at_once() -> None:
    nodes = [
        f"n{i}: {{uses: ./caller, permissions: {{secrets: [S{i}], network: ['h{i}:1']}},"
        " with: {" + ", ".join(f"x{j}: '${{ n{j}.answer }}'" for j in range(max(0, i - 5), i)) + "}}"
        for i in range(1000)
    ]
    text = f"nodes: {{{', '.join(nodes)}}}"
    started = time.process_time()
    found = [one for one in problems_of(text) if one.code == "PLY1706"]
    assert len(found) == 50
    assert time.process_time() - started < 60
