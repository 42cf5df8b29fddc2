"""Permissions: what a node really gets, what people consent to, what an update adds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.permissions.compare import widens
from polyphony_schemas.permissions.declared import declared_of
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.permissions.effective import effective
from polyphony_schemas.permissions.items import path_lies_in
from polyphony_schemas.permissions.model import DeclaredPermissions
from polyphony_schemas.permissions.words import describe
from polyphony_schemas.values import JsonValue

_WORDS = st.sampled_from(["a", "b", "c/d", "c", "${ inputs.x }", "."])
_GRANTS = st.dictionaries(st.sampled_from(["read", "run", "env"]), st.lists(_WORDS).map(tuple))


def test_takes_declared_and_ceiling_where_the_node_names_nothing() -> None:
    found = effective({"read": ("src",), "run": ("git",)}, {}, {"read": (".",), "run": ("git",)})
    assert found.grants == {"read": ("src",), "run": ("git",)}
    assert found.missing == ()


@pytest.mark.parametrize("key", ["secrets", "network", "write"])
def test_gives_nothing_dangerous_that_does_not_stand_at_the_node(key: str) -> None:
    item = "a.example:443"
    found = effective({key: (item,)}, {}, {key: (item,)})
    assert found.grants == {}
    assert found.missing[0].place == "node"
    assert found.missing[0].line == 'secrets: ["a.example:443"]'.replace("secrets", key)


def test_granted_takes_what_the_node_names_and_the_ceiling_allows() -> None:
    found = effective({"network": "granted"}, {"network": ("a:1", "b:2")}, {"network": ("a:1",)})
    assert found.grants == {"network": ("a:1",)}
    assert [(m.item, m.place) for m in found.missing] == [("b:2", "config")]


def test_a_missing_ceiling_is_an_empty_one() -> None:
    assert effective({"read": ("src",)}, {}, {}).missing[0].place == "config"


def test_the_node_that_uses_a_melody_cuts_what_is_inside() -> None:
    found = effective({"read": ("src",)}, {}, {"read": (".",)}, outer=[{"read": ("docs",)}])
    assert found.missing[0].place == "user of the melody"


def test_view_and_mode_do_not_count_and_come_from_the_node() -> None:
    copy: JsonValue = {"path": ".", "view": "copy"}
    found = effective({"read": ("src",)}, {"read": (copy,)}, {"read": (".",)})
    assert found.grants == {"read": ({"path": "src", "view": "copy"},)}


def test_a_literal_address_is_private_and_a_name_is_not() -> None:
    private: JsonValue = {"url": "127.0.0.1:80", "private": True}
    assert (
        effective({"network": "granted"}, {"network": (private,)}, {"network": ("127.0.0.1:80",)}).missing
        == ()
    )
    named: JsonValue = {"url": "db.example:80", "private": True}
    assert effective({"network": "granted"}, {"network": (named,)}, {"network": ("db.example:80",)}).missing


@pytest.mark.parametrize(
    ("path", "grant", "inside"),
    [
        ("src/a", "src", True),
        ("src/../etc", "src", False),
        ("srcs", "src", False),
        ("/", "/", True),
        ("/etc", "/", True),
        ("..", ".", False),
        ("/a", ".", False),
    ],
)
def test_a_path_lies_in_a_grant_when_it_is_equal_or_below(path: str, grant: str, inside: bool) -> None:
    assert path_lies_in(path, grant) is inside


def test_the_digest_is_that_of_the_published_vector_s_document() -> None:
    assert canonical_document({"read": (".",), "network": ("api.openai.com:443",), "run": ()}) == {
        "network": ["api.openai.com:443"],
        "read": ["."],
    }


@given(_GRANTS, st.randoms())
def test_the_digest_does_not_depend_on_order_or_repetition(
    grants: dict[str, tuple[str, ...]], random: Random
) -> None:
    shuffled = {}
    for key in random.sample(list(grants), len(grants)):
        items = [*grants[key], *grants[key]]
        random.shuffle(items)
        shuffled[key] = tuple(items)
    assert digest(shuffled) == digest(grants)


@given(_GRANTS, _GRANTS)
def test_widens_is_empty_exactly_when_everything_new_was_allowed(
    old: dict[str, tuple[str, ...]], new: dict[str, tuple[str, ...]]
) -> None:
    assert widens(old, old) == ()
    both = {key: (*old.get(key, ()), *new.get(key, ())) for key in {*old, *new}}
    assert widens(both, new) == ()


def test_an_update_that_takes_whatever_nodes_name_is_wider() -> None:
    assert widens({"network": ("a:1",)}, {"network": "granted"})[0].items == ("granted",)
    assert widens({"write": ("out",)}, {"write": ({"path": "out", "mode": "direct"},)})


def test_declarations_keep_what_is_written_and_nothing_more() -> None:
    written = {"read": [{"path": "a", "view": "copy"}, "b"], "network": "granted"}
    declared = declared_of(DeclaredPermissions.model_validate(written))
    assert declared == {"read": ({"path": "a", "view": "copy"}, "b"), "network": "granted"}


def test_says_in_plain_words_what_is_allowed() -> None:
    lines = describe(
        {
            "write": ({"path": "out", "mode": "direct"}, "."),
            "network": ("package-index", "http://a.example:80", "10.0.0.1:5432"),
            "secrets": ("TOKEN",),
            "models": "granted",
        }
    )
    assert lines == [
        "writes out directly",
        "writes the current folder after you have seen the changes",
        "downloads from the package index of this machine",
        "talks to a.example:80 without encryption",
        "reaches services of your own machine or network: 10.0.0.1:5432",
        "uses the secrets TOKEN",
        "uses the models that the melody names",
    ]
    assert describe({}) == ["nothing beyond its own files"]
