from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.archive import MAX_ARCHIVE_BYTES, pack_archive, read_archive
from polyphony_schemas.trust.tree import Entry

ENTRIES = {
    "a": Entry("100644", b"hello"),
    "d/run": Entry("100755", b"#!/bin/sh\n" * 100),
    "l": Entry("120000", b"a"),
    "n" * 100 + "/" + "m" * 100: Entry("100644", b""),
    "t": Entry("120000", b"x/" * 120),
}


def _tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _member(name: str, data: bytes = b"", **change: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in change.items():
        setattr(info, key, value)
    return info, data


def _refused(data: bytes) -> str:
    with pytest.raises(FormatError) as error:
        read_archive([data])
    return error.value.code


def test_the_usual_tools_read_our_archives() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack_archive(ENTRIES))) as archive:
        members = {member.name: member for member in archive}
    assert members.keys() == ENTRIES.keys()
    assert members["d/run"].mode == 0o755
    assert members["t"].linkname == "x/" * 120
    assert {member.mtime for member in members.values()} == {0}


def test_the_archive_of_a_tree_never_changes() -> None:
    assert pack_archive(ENTRIES)[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    assert pack_archive(ENTRIES) == pack_archive(dict(sorted(ENTRIES.items(), reverse=True)))


@pytest.mark.parametrize(
    "member",
    [
        _member("d", type=tarfile.DIRTYPE),
        _member("h", type=tarfile.LNKTYPE, linkname="a"),
        _member("c", type=tarfile.CHRTYPE),
        _member("f", type=tarfile.FIFOTYPE),
        _member("m", mode=0o4755),
        _member("m", mode=0o600),
    ],
)
def test_refuses_members_that_a_tree_cannot_express(member: tuple[tarfile.TarInfo, bytes]) -> None:
    assert _refused(gzip.compress(_tar(member), mtime=0)) == "PLY5011"


def test_refuses_pax_headers_duplicates_and_bytes_after_the_end() -> None:
    pax = _tar(_member("a", b"x", pax_headers={"comment": "x"}), form=tarfile.PAX_FORMAT)
    assert _refused(gzip.compress(pax)) == "PLY5011"
    assert _refused(gzip.compress(_tar(_member("a", b"1"), _member("a", b"2")))) == "PLY5011"
    good = pack_archive(ENTRIES)
    assert _refused(good + b"x") == "PLY5011"
    assert _refused(good + good) == "PLY5011"
    assert _refused(good[:-1]) == "PLY5011"
    assert _refused(gzip.compress(gzip.decompress(good) + bytes(512))) == "PLY5011"


def test_stops_at_the_limits_while_streaming() -> None:
    big = pack_archive({"a": Entry("100644", bytes(8 * 1024 * 1024 + 1))})
    assert _refused(big) == "PLY5701"
    many = pack_archive({f"f{number}": Entry("100644", b"") for number in range(5_001)})
    assert _refused(many) == "PLY5701"
    wide = pack_archive({f"f{number}": Entry("100644", bytes(8 * 1024 * 1024)) for number in range(5)})
    assert _refused(wide) == "PLY5701"


def test_stops_an_endless_download() -> None:
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        while True:
            given_out += 65_536
            yield b"\x00\x00\x00\xff\xff" * 13_107 + b"\x00"  # empty stored blocks, then a stray byte

    with pytest.raises(FormatError):
        read_archive(endless())
    assert given_out <= MAX_ARCHIVE_BYTES + 200_000


@settings(deadline=None)
@given(st.integers(0), st.integers(0, 7))
def test_any_changed_bit_is_refused_or_leaves_the_same_entries(place: int, bit: int) -> None:
    archive = bytearray(pack_archive(ENTRIES))
    archive[place % len(archive)] ^= 1 << bit
    try:
        assert read_archive([bytes(archive)]) == ENTRIES
    except FormatError as error:
        assert error.code in {"PLY5011", "PLY5701"}


@settings(deadline=None)
@given(st.binary(max_size=2_000))
def test_random_bytes_give_only_our_errors(data: bytes) -> None:
    for archive in (data, gzip.compress(data)):
        with pytest.raises(FormatError):
            read_archive([archive])
