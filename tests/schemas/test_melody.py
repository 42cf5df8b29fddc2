"""The shape of melody.yaml: all problems at once, each with place, what was got, what was expected, and a hint."""

from __future__ import annotations

import pytest

from polyphony_schemas.errors import FormatError
from polyphony_schemas.loading import load_melody
from polyphony_schemas.melody import ForEach, Step, UntilLoop
from polyphony_schemas.melody_connections import read_connection
from support.formats_documents import melody, problems_of

NODES = "nodes: {a: {uses: core/set}}\n"


def test_reports_every_problem_at_once_with_its_place() -> None:
    found = problems_of(
        """\
        sumary: hi
        nodes:
          a: {use: core/set}
          b: {uses: core/sett, join: al}
        connections: ["a.n ->"]
        """
    )
    assert [(p.line, p.column, p.code, p.pointer) for p in found] == [
        (4, 1, "PLY1402", "/sumary"),
        (6, 3, "PLY1401", "/nodes/a"),
        (6, 7, "PLY1402", "/nodes/a/use"),
        (7, 13, "PLY1308", "/nodes/b/uses"),
        (7, 30, "PLY1404", "/nodes/b/join"),
        (8, 15, "PLY1404", "/connections/0"),
    ]
    assert found[0].hint == "did you mean 'summary'?"
    assert found[2].hint == "did you mean 'uses'?"
    assert found[4].expected == "'all', 'any', 'first' or 'active'"


@pytest.mark.parametrize(
    ("line", "pointer", "hint"),
    [
        ("version: 1.0", "/version", 'put it in quotes: "1.0"'),
        ("keywords: one", "/keywords", "write a list: [one]"),
        ("config: {concurrency: {run: '4'}}", "/config/concurrency/run", "without quotes: 4"),
        ("config: {limits: {timout: 1s}}", "/config/limits/timout", "did you mean 'timeout'?"),
        ("config: {permissions: {network: [a.example]}}", "/config/permissions/network/0", "add the port"),
        ("config: {permissions: {network: ['*.a:443']}}", "/config/permissions/network/0", "no wildcard"),
        ("config: {permissions: {network: ['https://a/']}}", "/config/permissions/network/0", "write a:443"),
        ("triggers: [{schedul: {cron: '* * * * *'}}]", "/triggers/0/schedul", "did you mean 'schedule'?"),
        ("inputs: {x: {schema: {}, defualt: 1}}", "/inputs/x/defualt", "did you mean 'default'?"),
    ],
)
def test_says_how_to_mend_it(line: str, pointer: str, hint: str) -> None:
    head = "melody: v1\nname: m\n" + ("" if line.startswith("version") else "version: 1.0.0\n")
    with pytest.raises(FormatError) as caught:
        load_melody((head + NODES + line).encode())
    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert problems[0]["pointer"] == pointer
    assert hint in problems[0]["hint"]


@pytest.mark.parametrize(
    "body",
    [
        "nodes: {a: {uses: core/set, on_error: {skip: true, compensate: b}}}",
        "nodes: {a: {uses: core/set, nodes: {}}}",
        "nodes: {a: {until: 'true', nodes: {b: {uses: core/set}}}}",
        "nodes: {a: {until: 'true', max: 3, state: {x: 1}, nodes: {b: {uses: core/set}}}}",
        "nodes: {a: {uses: core/set, with_: {x: 1}}}",
        "nodes: {Bad: {uses: core/set}}",
        "nodes: {inputs: {uses: core/set}}",
        "nodes: {a: {uses: acme/thing}}",
        "nodes: {a: {uses: core/set, mutex: {name: x, scope: world}}}",
        NODES + "triggers: [{manual: {}, git: {on: [push]}}]",
        NODES + "triggers: [{}]",
        NODES + "config: {notify: [{on: [failed]}]}",
        NODES + "config: {budget: {usd: 2.0}}",
        NODES + "config: {extensions: ['polyphony']}",
    ],
)
def test_refuses_what_the_grammar_does_not_hold(body: str) -> None:
    with pytest.raises(FormatError) as caught:
        load_melody(melody(body))
    assert caught.value.code == "PLY1400"


EVERYTHING = """\
summary: everything
license: Apache-2.0
keywords: [a]
x-note: kept aside
inputs: {path: {schema: {type: string, format: path}, default: "."}}
nodes:
  step:
    uses: acme/thing@^1
    with: {path: "${ inputs.path }"}
    join: {n: 1, cancel: true}
    task: {objective: review, parameters: {t: 0.2}, outputs: {format: json, schema: {type: object}},
           conditions: ["inputs.path != ''"]}
    permissions: {network: ["a.example:443", {url: "http://10.0.0.1:80", private: true}, package-index],
                  read: [{path: "${ inputs.path }", view: copy}], write: [{path: out, mode: direct}]}
    limits: {timeout: 10m, total: 1h, cpu: 5s, memory: 1GiB, output: 1MiB, disk: 1B, processes: 4,
             tokens: 10, usd: "0.50"}
    on_error: {retry: {max: 2, when: "error.kind == 'network'"}, fallback: [other], halt: {}}
    undo: other
    mutex: {name: deploy, scope: melody}
    x-anything: {goes: here}
  each:
    for_each: {items: [1, 2], as: n, parallel: "${ 2 }", max: 10, tolerate: 1, complete_when: "done > 1",
               rest: ignore, open: true}
    nodes: {a: {uses: core/set, with: {n: "${ n }"}}}
    outputs: {n: "${ a.n }"}
  fix:
    until: "a.n > 2"
    max: 20
    on_max: accept
    budget: {wall: 10m, usd: "1.00", tokens: 5}
    state: {n: 0}
    nodes: {a: {uses: core/set, with: {n: "${ state.n + 1 }"}}}
    next: {n: "${ a.n }"}
  block: {nodes: {a: {uses: core/stop, with: {status: failed}}}}
connections: [step -> each, {from: step.out, to: fix.in, when: "true"}]
outputs: {n: "${ each.n }"}
triggers:
  - manual: {}
  - git: {on: [push], branches: [main], inputs: {path: "${ trigger.path }"}, when: "true"}
  - files: {paths: ["*.py"], debounce: 1s}
  - schedule: {cron: "0 6 * * 1-5", timezone: Europe/Paris, overlap: skip, catch_up: last}
  - webhook: {schema: {type: object}, secret: HOOK, reply: outputs}
  - melody: {name: acme/build, outcome: any}
config:
  extensions: ["polyphony/*", "*/x"]
  concurrency: {run: 4, group: "${ inputs.path }", overlap: cancel}
  notify: [{name: oncall, on: [halted], email: {to: [a@example.com]}}]
  retention: {runs: 30d, artifacts: 7d, keep: 10}
"""


def test_takes_the_whole_grammar_and_tells_the_kinds_of_node_apart() -> None:
    read = load_melody(melody(EVERYTHING))
    assert isinstance(read.nodes["step"], Step)
    assert isinstance(read.nodes["each"], ForEach)
    assert isinstance(read.nodes["fix"], UntilLoop)


def test_reads_a_connection_in_both_notations() -> None:
    read = load_melody(
        melody("nodes: {a: {uses: core/set}}\nconnections: ['a.n -> b.m', {from: a, to: b, when: 'true'}]")
    )
    assert read_connection(read.connections[0]).target_port == "m"
    assert read_connection(read.connections[1]).source_port is None
    assert read_connection(read.connections[1]).when == "true"
