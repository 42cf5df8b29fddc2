"""Names inside, for all combinations of granted paths."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.grants.layout import inside_of, place_all, relative_result
from polyphony_runner.grants.network import endpoint
from polyphony_runner.grants.values import PathGrant, path_grant
from polyphony_runner.grants.writers import Writers
from polyphony_runner.runtimes.failures import NodeError

PATHS = st.lists(st.sampled_from(["a", "b", "a-2", "x/a", "y/a", "x", "z/a-2"]), max_size=6)


@given(PATHS, PATHS)
def test_every_path_has_one_place_and_every_place_one_path(reads: list[str], writes: list[str]) -> None:
    grants = [(PathGrant(path, "read"), Path("/h") / path) for path in reads]
    grants += [(PathGrant(path, "write"), Path("/h") / path) for path in writes]
    placements = place_all(grants, {})
    assert {place.host for place in placements} == {host for _, host in grants}
    assert len({place.inside for place in placements}) == len(placements) == len(set(reads) | set(writes))
    for place in placements:
        written = str(place.host.relative_to("/h")) in writes
        assert place.inside.startswith("/ws/" if written else "/src/")


def test_an_inputs_name_wins_over_the_paths_own() -> None:
    grants = [(PathGrant("p", "read"), Path("/h/p")), (PathGrant("/", "read"), Path("/"))]
    insides = [place.inside for place in place_all(grants, {Path("/h/p"): "path"})]
    assert insides == ["/src/root", "/src/path"]


def test_the_nearest_grant_shows_a_path_and_results_are_relative_to_it() -> None:
    grants = [(PathGrant("h", "read"), Path("/h")), (PathGrant("h/in", "write"), Path("/h/in"))]
    placements = place_all(grants, {})
    assert inside_of(Path("/h/in/x"), placements) == "/ws/in/x"
    assert inside_of(Path("/h/other"), placements) == "/src/h/other"
    assert inside_of(Path("/hh"), placements) is None
    for text, expected in {
        "/ws/in/a.py": "a.py",
        "file:///src/h/b.py": "b.py",
        "/src/h": ".",
        "/src/hh/x": "/src/hh/x",
        "see /src/h/b.py": "see /src/h/b.py",
    }.items():
        assert relative_result(text, placements) == expected


@pytest.mark.parametrize(
    "value", [1, "", {"path": 1}, {"path": "x", "mode": "direct"}, {"path": "x", "else": 1}, "a\0b"]
)
def test_other_shapes_of_path_grants_are_refused(value: object) -> None:
    with pytest.raises(NodeError) as caught:
        path_grant(value, "read")  # type: ignore[arg-type]  # what a hand-made melody might hold
    assert caught.value.code == "PLY3401"


@pytest.mark.parametrize(
    "value", ["*.example.com:443", "host", "host:0", "u@host:1", "https://h:1", {"url": "h:1", "x": 1}, 5]
)
def test_other_shapes_of_network_grants_are_refused(value: object) -> None:
    with pytest.raises(NodeError) as caught:
        endpoint(value)  # type: ignore[arg-type]  # what a hand-made melody might hold
    assert caught.value.code == "PLY3410"


def test_writers_of_overlapping_paths_take_turns_in_order(tmp_path: Path) -> None:
    first, second = Writers(tmp_path / "locks"), Writers(tmp_path / "locks")
    order: list[str] = []

    async def write(writers: Writers, path: str, name: str, ready: asyncio.Event | None = None) -> None:
        async with writers.writing([Path(path)]):
            order.append(f"{name}+")
            if ready is not None:
                await ready.wait()
            order.append(f"{name}-")

    async def run() -> None:
        ready = asyncio.Event()
        tasks = [asyncio.ensure_future(write(first, "/p", "a", ready))]
        await asyncio.sleep(0)
        tasks.append(asyncio.ensure_future(write(first, "/p/q", "b")))
        tasks.append(asyncio.ensure_future(write(second, "/p/q/r", "other-process")))
        await write(first, "/elsewhere", "free")
        assert order == ["a+", "free+", "free-"]
        ready.set()
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(run(), 20))
    rest = order[3:]
    assert rest.pop(0) == "a-"
    assert sorted(rest) == ["b+", "b-", "other-process+", "other-process-"]
    assert [name[:-1] for name in rest[::2]] == [name[:-1] for name in rest[1::2]]
