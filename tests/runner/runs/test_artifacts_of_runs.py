"""What belongs to a run, what it may be called by, and what differs between two of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.artifacts import ArtifactError, FolderArtifacts
from polyphony_runner.runs.addresses import Found, find
from polyphony_runner.runs.differences import Change, differences
from polyphony_runner.runs.produced import Produced, produced_by
from polyphony_schemas.values import JsonValue
from support.artifact_runs import ArtifactRuns


@pytest.fixture
def runs(tmp_path: Path) -> ArtifactRuns:
    return ArtifactRuns(tmp_path)


def test_a_run_has_inputs_intermediates_outputs_and_metadata(runs: ArtifactRuns) -> None:
    folder = runs.run(runs.melody()).session.folder
    everything = produced_by(folder)
    places = [(one.category, one.node, one.port) for one in everything if one.category != "metadata"]
    assert places == [
        ("inputs", None, "n"),
        ("intermediates", "a", "file"),
        ("intermediates", "a", "folder"),
        ("intermediates", "a", "value"),
        ("intermediates", "b", "file"),
        ("intermediates", "b", "folder"),
        ("intermediates", "b", "value"),
        ("outputs", None, "file"),
        ("outputs", None, "value"),
    ]
    assert {one.name for one in everything if one.category == "metadata"} == {
        "journal.jsonl",
        "run.json",
        "graph.json",
    }
    for one in everything:
        found = Found(one.name, one.digest, one.size, runs.store, one)
        assert hashlib.sha256(found.read()).hexdigest() == one.digest
        assert found.is_folder or len(found.read()) == one.size


def test_things_are_found_by_where_they_stand(runs: ArtifactRuns, tmp_path: Path) -> None:
    run = runs.run(runs.melody()).session.folder.run
    assert find(f"{run}:a.file", runs.home.runs, runs.store).read() == b"1\n"
    assert find(f"{run[:20]}:inputs.n", runs.home.runs, runs.store).read() == b"1"
    assert json.loads(find(f"{run}:outputs.value", runs.home.runs, runs.store).read())["n"] == 2
    assert find(f"{run}:journal.jsonl", runs.home.runs, runs.store).read().startswith(b'{"v":1')
    assert find(f"{run}:b.folder", runs.home.runs, runs.store).write(tmp_path / "out") == 6
    assert (tmp_path / "out" / "n.txt").read_text() == "2\n"
    assert find(f"{run}:inputs.n", runs.home.runs, runs.store).write(tmp_path / "n.json") == 1
    with pytest.raises(ArtifactError, match=r"nothing called 'a\.fil'") as refused:
        find(f"{run}:a.fil", runs.home.runs, runs.store)
    assert (refused.value.code, refused.value.hint) == ("PLY2805", "did you mean 'a.file'?")


def test_a_file_that_a_value_names_inside_is_listed_and_found(runs: ArtifactRuns) -> None:
    kept = runs.store.put_bytes(b"inside")
    reference = {"digest": kept.digest, "name": "x.txt", "media_type": "text/plain", "size": 6}
    folder = runs.run(runs.melody(), f"more={json.dumps({'deep': [reference]})}").session.folder
    assert [one.digest for one in produced_by(folder) if one.within] == [kept.digest]
    assert find(f"{folder.run}:inputs.more/x.txt", runs.home.runs, runs.store).read() == b"inside"


def test_two_runs_are_compared_by_text_by_place_and_by_entry(runs: ArtifactRuns) -> None:
    melody = runs.melody()
    first, second = (runs.run(melody, f"n={n}").session.folder.run for n in (1, 5))

    def compared(place: str) -> tuple[str, tuple[str, ...], tuple[Change, ...]]:
        found = differences(*(find(f"{run}:{place}", runs.home.runs, runs.store) for run in (first, second)))
        return found.kind, found.lines, found.changes

    kind, lines, _ = compared("a.file")
    assert (kind, lines[3:]) == ("text", ("-1", "+5", " "))
    kind, _, changes = compared("a.value")
    assert (kind, changes) == ("json", (Change("changed", "/list/1", 1, 5), Change("changed", "/n", 1, 5)))
    kind, _, changes = compared("a.folder")
    assert (kind, [(one.what, one.place) for one in changes]) == ("folder", [("changed", "n.txt")])
    assert differences(*[find(f"{first}:a.file", runs.home.runs, runs.store)] * 2).kind == "same"


def side(store: FolderArtifacts, data: bytes) -> Found:
    digest = store.put_bytes(data).digest
    return Found(digest[:8], digest, len(data), store)


@pytest.mark.parametrize(
    ("then", "now", "kind"),
    [
        (b"\0\1", b"\0\2", "binary"),
        (b"\xff", b"text", "binary"),
        (b"1", b"2", "text"),
        (b'{"a":1}', b'{"a": 1}', "text"),
        (b"[" * 9000, b"[" * 9001, "text"),
        (b'{"a":1}', b"[1]", "text"),
        (b"\n" * 60_000, b"\n" * 60_001, "binary"),
        (b"x" * (9 << 20), b"y", "binary"),
    ],
)
def test_what_is_not_of_one_kind_is_compared_as_less(
    tmp_path: Path, then: bytes, now: bytes, kind: str
) -> None:
    store = FolderArtifacts(tmp_path)
    assert differences(side(store, then), side(store, now)).kind == kind


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab", max_size=2), VALUES), st.dictionaries(st.text("ab", max_size=2), VALUES))
def test_json_that_differs_is_told_by_at_least_one_place(
    tmp_path_factory: pytest.TempPathFactory, then: dict[str, JsonValue], now: dict[str, JsonValue]
) -> None:
    store = _Memory()
    sides = [
        Found(
            name,
            name,
            None,
            store,
            Produced(
                "outputs", None, "p", "p", "application/json", 0, name, inline=json.dumps(value).encode()
            ),
        )
        for name, value in (("then", then), ("now", now))
    ]
    found = differences(*sides)
    equal = json.dumps(then, sort_keys=True) == json.dumps(now, sort_keys=True)
    assert (found.kind == "json") == (not equal)


class _Memory(FolderArtifacts):
    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
