from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.keymap import ZERO, KeyedMap, Siblings, chain_of, verify_absence, verify_head
from polyphony_schemas.trust.log_writer import LogWriter
from polyphony_schemas.trust.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from polyphony_schemas.trust.tiles import (
    TileReader,
    encode_entries,
    parse_entries,
    parse_tile_path,
    tile_path,
    tiles_between,
)

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(70)]


def _naive(leaves: list[bytes]) -> bytes:
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(_naive(leaves[:half]), _naive(leaves[half:]))


def _range(low: int, high: int) -> bytes:
    return _naive(LEAVES[low:high])


def test_the_reference_tree_of_the_specification() -> None:
    records = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    log = CompactRange()
    for record in records:
        log.append(leaf_hash(bytes.fromhex(record)))
    assert log.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_compact_range_has_the_root_of_the_naive_tree_at_every_size() -> None:
    log = CompactRange()
    for size in range(len(LEAVES)):
        assert log.root() == _naive(LEAVES[:size])
        log.append(LEAVES[size])


@given(st.data())
def test_proofs_verify_against_the_naive_tree_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    root = _naive(LEAVES[:size])
    inclusion = inclusion_proof(index, size, _range)
    verify_inclusion(index, size, LEAVES[index], inclusion, root)
    consistency = consistency_proof(old, size, _range)
    verify_consistency(old, size, _naive(LEAVES[:old]), root, consistency)
    for wrong in (inclusion[:-1], [*inclusion, bytes(32)], [bytes(32), *inclusion[1:]]):
        if wrong != inclusion:
            with pytest.raises(FormatError):
                verify_inclusion(index, size, LEAVES[index], wrong, root)
    with pytest.raises(FormatError):
        verify_inclusion(index, size, leaf_hash(b"other"), inclusion, root)
    with pytest.raises(FormatError):
        verify_consistency(old, size, bytes(32), root, consistency)
    with pytest.raises(FormatError):
        verify_consistency(old, size, _naive(LEAVES[:old]), root, [*consistency, bytes(32)])


@given(st.integers(-3, 10), st.integers(-3, 10), st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_random_proofs_are_refused(old: int, size: int, proof: list[bytes]) -> None:
    with pytest.raises(FormatError):
        verify_inclusion(old, size, bytes(32), proof, b"\1" * 32)
    with pytest.raises(FormatError):
        verify_consistency(old, size, bytes(32), b"\1" * 32, proof)


@pytest.fixture(scope="module")
def written() -> tuple[dict[str, bytes], list[bytes], dict[int, bytes]]:
    """A log of 66,000 records: its tiles (partial ones for some sizes), leaves, roots."""
    log, files, roots = LogWriter(), {}, {}
    leaves = []
    published = 0
    for number in range(66_000):
        record = b"record %d" % number
        log.append(record)
        leaves.append(leaf_hash(record))
        size = number + 1
        if size in {1, 255, 256, 257, 700, 65_535, 65_536, 65_537, 66_000}:
            files.update({address.path: data for address, data in log.new_tiles(published)})
            log.drop_full()
            published, roots[size] = size, log.range.root()
    return files, leaves, roots


def test_tiles_hold_the_whole_tree(written: tuple[dict[str, bytes], list[bytes], dict[int, bytes]]) -> None:
    files, leaves, roots = written
    for size, root in roots.items():
        reader = TileReader(size, files.__getitem__)
        assert reader.root() == root
        for index in {0, size // 2, size - 1, random.Random(size).randrange(size)}:
            verify_inclusion(index, size, leaves[index], reader.inclusion(index), root)
            assert reader.leaf(index) == leaves[index]
        for old, old_root in roots.items():
            if old <= size:
                verify_consistency(old, size, old_root, root, reader.consistency(old))
    assert "tile/1/000" in files
    assert "tile/2/000.p/1" in files


def test_records_are_read_and_hashed(written: tuple[dict[str, bytes], list[bytes], dict[int, bytes]]) -> None:
    files = dict(written[0])
    reader = TileReader(700, files.__getitem__)
    assert list(reader.records(250, 260)) == [b"record %d" % number for number in range(250, 260)]
    files["tile/entries/000"] = files["tile/entries/000"].replace(b"record 7", b"record X", 1)
    with pytest.raises(FormatError, match="does not hash"):
        list(TileReader(700, files.__getitem__).records(0, 256))


def test_refuses_tiles_of_another_length(
    written: tuple[dict[str, bytes], list[bytes], dict[int, bytes]],
) -> None:
    files = {path: data[:-1] for path, data in written[0].items()}
    with pytest.raises(FormatError, match="a tile of"):
        TileReader(700, files.__getitem__).root()
    with pytest.raises(FormatError):
        TileReader(700, files.__getitem__).leaf(700)


@given(st.integers(0, 6) | st.just("entries"), st.integers(0, 10**9), st.integers(1, 256))
def test_tile_paths_are_read_back(level: int, number: int, width: int) -> None:
    path = tile_path(level, number, width)
    assert parse_tile_path(path).path == path


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/7/000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "/tile/0/000",
    ],
)
def test_refuses_other_spellings_of_a_tile(path: str) -> None:
    with pytest.raises(FormatError):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=10), st.binary(max_size=5))
def test_entries_tiles_are_read_back(records: list[bytes], more: bytes) -> None:
    data = encode_entries(records)
    assert parse_entries(data, len(records)) == records
    if more:
        with pytest.raises(FormatError):
            parse_entries(data + more, len(records))


def test_a_seal_needs_only_the_tiles_that_changed() -> None:
    assert [address.path for address in tiles_between(256, 257)] == ["tile/0/001.p/1", "tile/entries/001.p/1"]
    assert [address.path for address in tiles_between(255, 256)] == [
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/entries/000",
    ]


def test_a_copy_can_be_dropped() -> None:
    log = LogWriter()
    log.append(b"a")
    root = log.range.root()
    trial = log.copy()
    trial.append(b"b")
    assert (log.size, log.range.root()) == (1, root)
    assert [data for _, data in log.new_tiles(0)] == [leaf_hash(b"a"), b"\0\1a"]


NAMES = st.lists(st.sampled_from([f"acme/p{number}" for number in range(40)]), max_size=60)


@settings(deadline=None)
@given(NAMES)
def test_the_map_proves_what_it_holds_and_what_it_does_not(names: list[str]) -> None:
    heads: dict[str, bytes] = {}
    keyed = KeyedMap()
    for number, name in enumerate(names):
        heads[name] = chain_of([b"%032d" % number])
        keyed = keyed.put(name, heads[name])
    fresh = KeyedMap()
    for name in sorted(heads):
        fresh = fresh.put(name, heads[name])
    assert fresh.root() == keyed.root()
    for name in [f"acme/p{number}" for number in range(40)]:
        proof, head = keyed.prove(name), heads.get(name, ZERO)
        assert keyed.head(name) == head
        if head == ZERO:
            verify_absence(name, proof, keyed.root())
            with pytest.raises(FormatError):
                verify_head(name, chain_of([b"x"]), proof, keyed.root())
        else:
            verify_head(name, head, proof, keyed.root())
            with pytest.raises(FormatError):
                verify_absence(name, proof, keyed.root())
            with pytest.raises(FormatError):
                verify_head(name, chain_of([b"x"]), proof, keyed.root())


def test_old_maps_stay_as_they_were() -> None:
    old = KeyedMap().put("a", b"\1" * 32)
    root = old.root()
    old.put("b", b"\2" * 32)
    assert old.root() == root


@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=300),
    st.none() | st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32)),
)
def test_random_map_proofs_are_refused(hashes: list[bytes], other: tuple[bytes, bytes] | None) -> None:
    proof = Siblings(tuple(hashes), other)
    with pytest.raises(FormatError):
        verify_head("acme", b"\1" * 32, proof, b"\2" * 32)
    with pytest.raises(FormatError):
        verify_absence("acme", proof, b"\2" * 32)
