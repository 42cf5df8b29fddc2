"""What every ``SearchIndex`` must do; each implementation runs the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_registry.search.protocol import SearchEntry, SearchIndex, SearchQuery
from polyphony_registry.search.whoosh_index import WhooshIndex

ENTRIES = [
    SearchEntry(
        "acme/full-stack-review",
        "1.0.0",
        ("melody",),
        "Lint, test and review a change",
        ("review", "ci"),
        "Deployments too",
    ),
    SearchEntry(
        "acme/ruff", "1.0.0", ("extension", "operator"), "Lints Python", ("lint", "python"), "Fast linter"
    ),
    SearchEntry(
        "acme/release-notes",
        "2.1.0",
        ("melody",),
        "Write release notes from commits",
        ("docs",),
        "review them",
    ),
    SearchEntry(
        "bee/sentiment",
        "0.1.0",
        ("extension", "instrument"),
        "Tell how a text feels",
        ("ai",),
        "uses a model",
    ),
]


@pytest.fixture(params=[WhooshIndex])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    found: SearchIndex = request.param(tmp_path / "search")
    found.replace(ENTRIES)
    return found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("review", "acme/full-stack-review"),
        ("reviewing a change", "acme/full-stack-review"),
        ("full-stack-review", "acme/full-stack-review"),
        ("acme/ruff", "acme/ruff"),
        ("python", "acme/ruff"),
        ("rel", "acme/release-notes"),
        ("release notes", "acme/release-notes"),
        ("feels", "bee/sentiment"),
        ("deployment", "acme/full-stack-review"),
        ("sentimant", "bee/sentiment"),
        ("BEE", "bee/sentiment"),
    ],
)
def test_finds_known_items(index: SearchIndex, text: str, first: str) -> None:
    assert index.query(SearchQuery(text))[0] == first


def test_all_words_must_match_and_nothing_is_an_answer(index: SearchIndex) -> None:
    assert index.query(SearchQuery("python sentiment xyzzy")) == []
    assert "acme/ruff" not in index.query(SearchQuery("release notes"))


@pytest.mark.parametrize(
    "text", ["NEAR(*", "a:b AND (", '"', "**", "name:acme", "[a TO z]", "\0", "ü" * 200, " ", "-"]
)
def test_any_text_is_a_fair_query(index: SearchIndex, text: str) -> None:
    assert len(index.query(SearchQuery(text))) <= 20


def test_narrows_by_kind_and_tag_and_limits(index: SearchIndex) -> None:
    assert set(index.query(SearchQuery(kind="melody"))) == {"acme/full-stack-review", "acme/release-notes"}
    assert index.query(SearchQuery(kind="operator")) == ["acme/ruff"]
    assert set(index.query(SearchQuery(kind="extension"))) == {"acme/ruff", "bee/sentiment"}
    assert index.query(SearchQuery(tag="CI")) == ["acme/full-stack-review"]
    assert len(index.query(SearchQuery(limit=2))) == 2


def test_replace_and_remove_are_seen_by_another_reader(index: SearchIndex, tmp_path: Path) -> None:
    other = type(index)(tmp_path / "search")  # type: ignore[call-arg]  # every implementation takes a folder
    assert other.query(SearchQuery("ruff")) == ["acme/ruff"]
    index.replace([SearchEntry("acme/ruff", "2.0.0", ("extension",), "Paints pictures", (), "")])
    assert other.query(SearchQuery("paints")) == ["acme/ruff"]
    assert "acme/ruff" not in other.query(SearchQuery("python"))
    index.remove(["acme/ruff", "not/there"])
    assert other.query(SearchQuery("ruff")) == []
    index.clear()
    assert other.query(SearchQuery()) == []


def test_suggests_names_by_their_beginnings(index: SearchIndex) -> None:
    assert index.suggest("re") == ["acme/full-stack-review", "acme/release-notes"]
    assert index.suggest("") == []
