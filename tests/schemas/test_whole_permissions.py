"""What a melody may do with everything it uses, in the words of its own inputs; and what people agree to."""

from __future__ import annotations

from textwrap import dedent

import pytest

from polyphony_schemas.graph.from_files import FromFiles, link_files
from polyphony_schemas.loading import load_melody
from polyphony_schemas.permissions.compare import difference, widens
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.permissions.keys import Grants
from polyphony_schemas.permissions.whole import Whole, consented, whole_of
from support.formats_documents import CALLER, READER, melody

WRITER = """
extension: v1
name: writer
version: 1.0.0
kind: operator
inputs: {path: {schema: {type: string, format: path}}}
permissions: {write: granted, network: ["api.example:443"], env: [LANG]}
run: {process: [cat]}
"""
EXTENSIONS = {"reader": READER, "caller": CALLER, "writer": WRITER}


def linked(text: str, **subs: str) -> FromFiles:
    files = {"melody.yaml": melody(text)}
    for name, body in EXTENSIONS.items():
        files[f"{name}/extension.yaml"] = body.encode()
    for name, body in subs.items():
        files[f"{name}/melody.yaml"] = melody(body)
    packages = {"main": files, "acme/caller@1.0.0": {"extension.yaml": CALLER.encode()}}
    found = link_files(
        "main", packages.get, lambda _, uses: "acme/caller@1.0.0" if uses == "acme/caller@^1" else None
    )
    assert found is not None
    return found


def whole(text: str, **subs: str) -> Whole:
    return whole_of(linked(text, **subs).melody)


def test_is_what_nodes_ask_for_and_not_all_that_the_ceiling_leaves_open() -> None:
    found = whole(
        """
        inputs: {path: {schema: {type: string, format: path}}}
        nodes:
          a: {uses: ./reader, with: {path: "${ inputs.path }"}}
          b: {uses: ./reader, with: {path: docs}}
          c: {uses: acme/caller@^1, permissions: {network: ["a.example:443"], secrets: [TOKEN]}}
        config:
          permissions:
            read: ["${ inputs.path }", docs, src]
            run: [cat, make]
            network: ["a.example:443", "b.example:443"]
            secrets: [TOKEN, OTHER]
        """
    )
    assert found.grants == {
        "read": ("${ inputs.path }", "docs"),
        "run": ("cat",),
        "network": ("a.example:443",),
        "secrets": ("TOKEN",),
    }
    assert [(use.item, use.nodes) for use in found.uses if use.key == "run"] == [("cat", ("a", "b"))]


def test_a_grant_that_only_the_run_can_tell_is_all_that_the_ceiling_leaves_open() -> None:
    found = whole(
        """
        nodes:
          n: {uses: core/set, with: {path: src/x}}
          a: {uses: ./reader, with: {path: "${ n.path }"}}
        config: {permissions: {read: [src, docs], run: [cat]}}
        """
    )
    assert found.grants["read"] == ("docs", "src")


def test_inputs_of_a_scope_are_not_those_of_the_melody() -> None:
    found = whole(
        """
        inputs: {path: {schema: {type: string, format: path}}}
        nodes:
          s:
            inputs: {path: {schema: {type: string, format: path}}}
            with: {path: other}
            nodes: {a: {uses: ./reader, with: {path: "${ inputs.path }"}}}
        config: {permissions: {read: ["${ inputs.path }", other], run: [cat]}}
        """
    )
    assert found.grants["read"] == ("${ inputs.path }", "other")
    assert found.uses[0].nodes == ("s/a",)


SUB = """
inputs: {place: {schema: {type: string, format: path}}, host: {schema: {type: string}}}
nodes:
  r: {uses: ../reader, with: {path: "${ inputs.place }"}}
  c: {uses: ../caller, permissions: {network: ["${ inputs.host }", "inner:1"]}}
config: {permissions: {read: ["${ inputs.place }"], run: [cat], network: ["${ inputs.host }", "inner:1"]}}
"""


def test_what_a_melody_inside_gets_is_said_in_the_words_of_its_user() -> None:
    found = whole(
        """
        inputs: {path: {schema: {type: string, format: path}}}
        nodes:
          s:
            uses: ./sub
            with: {place: "${ inputs.path }", host: "given:1"}
            permissions: {network: ["given:1", "more:1"]}
        config: {permissions: {read: ["${ inputs.path }", docs], run: [cat], network: ["given:1", "more:1", "inner:1"]}}
        """,
        sub=SUB,
    )
    assert found.grants == {"read": ("${ inputs.path }",), "run": ("cat",), "network": ("given:1",)}
    assert found.uses[0].nodes == ("s/r",)


def test_what_the_user_of_a_melody_does_not_pass_on_is_not_there() -> None:
    found = whole(
        "nodes: {s: {uses: ./sub, with: {place: docs, host: 'given:1'}}}\n"
        "config: {permissions: {read: [docs], run: [make], network: ['given:1']}}",
        sub=SUB,
    )
    assert found.grants == {"read": ("docs",)}


def test_melodies_that_use_themselves_or_each_other_end() -> None:
    text = "nodes: {s: {uses: ./sub, when: 'false'}, again: {uses: ., when: 'false'}, a: {uses: ./reader, with: {path: .}}}\n"
    text += "config: {permissions: {read: [.], run: [cat]}}"
    sub = "nodes: {up: {uses: .., when: 'false'}, own: {uses: ., when: 'false'}, r: {uses: ../reader, with: {path: .}}}\n"
    sub += "config: {permissions: {read: [.], run: [cat]}}"
    found = whole(text, sub=sub)
    assert [use.nodes for use in found.uses] == [("a", "s/r"), ("a", "s/r")]


def test_a_package_that_nobody_has_may_ask_for_all_that_is_left_open_to_it() -> None:
    found = linked(
        "nodes: {a: {uses: acme/gone@^1, permissions: {run: [make]}}}\n"
        "config: {permissions: {run: [make, git], read: [src], secrets: [TOKEN]}}"
    )
    assert found.unknown == ("acme/gone@^1",)
    assert whole_of(found.melody).grants == {"read": ("src",), "run": ("make",)}


def test_services_of_the_own_machine_are_told_apart() -> None:
    found = whole(
        """
        nodes:
          a:
            uses: ./caller
            permissions: {network: [{url: "db.local:5432", private: true}, "http://127.0.0.1:80", package-index, "a:1"]}
        config: {permissions: {network: [{url: "db.local:5432", private: true}, "http://127.0.0.1:80", package-index, "a:1"]}}
        """
    )
    assert found.private == ["db.local:5432", "http://127.0.0.1:80"]
    assert found.to_json()["private"] == found.private


@pytest.mark.parametrize(
    ("ceiling", "hidden"),
    [("[out]", True), ("[{path: out, mode: copy}]", True), ("[{path: out, mode: direct}]", False)],
)
def test_a_direct_write_that_the_ceiling_does_not_show_is_asked_about(ceiling: str, hidden: bool) -> None:
    def version(mode: str) -> tuple[Grants, Whole]:
        grant = f"{{path: out, mode: {mode}}}"
        text = (
            f"nodes: {{a: {{uses: ./writer, with: {{path: out}}, permissions: {{write: [{grant}],"
            f" network: ['api.example:443']}}}}}}\nconfig: {{permissions: {{write: {ceiling}, env: [LANG],"
            " network: ['api.example:443']}}"
        )
        found = linked(dedent(text)).melody
        return ceiling_of(load_melody(melody(dedent(text))).config.permissions), whole_of(found)

    before, copies = version("copy")
    assert consented(before, copies) == before
    _, writes = version("direct")
    new = consented(before, writes)
    assert bool(widens(before, new)) is hidden
    if hidden:
        assert difference(before, new) == ["+ write: {path: out, mode: direct}"]
