"""Any one changed bit of any answer is refused, or changes nothing that counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.locking import read_lock
from polyphony_schemas.errors import PolyphonyError
from support.install_world import World, world
from support.served_registry import Answer, honest

SEED = 20260921
ROUNDS = 12


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "home") as made:
        yield made


@pytest.mark.parametrize(
    "part", ["log/checkpoint", "log/map/", "index/", "namespace/", "bundle/", "archive/"]
)
def test_one_bit_is_refused_or_harmless(here: World, part: str) -> None:
    chance = random.Random(f"{SEED} {part}")
    here.install("acme/flows@^1")
    truth = read_lock(here.home.lock)
    assert truth is not None
    before = here.state()
    refusals = 0
    for _ in range(ROUNDS):
        bit = chance.getrandbits(32)

        def lie(path: str, answer: Answer, bit: int = bit) -> Answer:
            return Answer(body=_flip(answer.body, bit)) if path.startswith(part) else answer

        here.served.lie = lie
        fresh = here.home.root / "other.lock"
        for tree in {package.tree for package in truth.packages.values()}:
            _forget(here, tree)
        empty = here.state()
        try:
            here.install("acme/flows@^1", lock=fresh)
        except PolyphonyError as error:
            refusals += 1
            assert error.code.startswith(("PLY5", "PLY61"))
            assert here.state() == empty
            assert not fresh.exists()
        else:
            lock = read_lock(fresh)
            assert lock is not None
            assert lock.packages == truth.packages
            fresh.unlink()
    assert refusals > ROUNDS // 2
    here.served.lie = honest
    here.install("acme/flows@^1")
    assert here.state() == before


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    place = bit % (8 * len(changed))
    changed[place // 8] ^= 1 << (place % 8)
    return bytes(changed)


def _forget(here: World, tree: str) -> None:
    from polyphony_runner.store import FolderStore
    from polyphony_schemas.values import TreeId

    FolderStore(here.home.store).remove(TreeId(tree))
