from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.history import RECOVERY_DELAY_S, HistoryState
from polyphony_schemas.trust.index import encode_line, parse_index
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.map_proof import parse_map_proof
from polyphony_schemas.trust.records import (
    LogKey,
    MapRecord,
    NameClaim,
    NameTransfer,
    OwnerChange,
    encode_record,
    parse_record,
    record_from_json,
)
from polyphony_schemas.trust.tiles import TileReader
from support.trust_registry import (
    ACCOUNT,
    START,
    MemoryRegistry,
    key_entry,
    key_signer,
    melody_entries,
    sample_registry,
)

HINT = hint_of(key_signer(1).public_key())


def _claim(name: str = "acme", at: int = START, prev: int = -1) -> NameClaim:
    return NameClaim(v=1, type="name.claim", at=at, name=name, prev=prev, owner=ACCOUNT, how="new")


def _refused(act: Callable[[], object], code: str = "PLY5013") -> None:
    with pytest.raises(FormatError) as error:
        act()
    assert error.value.code == code


def test_every_kind_of_record_is_read_back() -> None:
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(1))
    registry.revoke_key("acme", key_signer(2), since=3)
    registry.yank("acme/flows", "1.0.0")
    registry.quarantine("acme/flows", None)
    latest = registry.state.latest
    registry.record(
        NameTransfer.model_validate(
            {"v": 1, "type": "name.transfer", "at": registry.tick(), "name": "other", "prev": latest("other"),
             "from": ACCOUNT, "to": "u_2", "auth": "admin"}
        )
    )  # fmt: skip
    registry.record(
        OwnerChange.model_validate(
            {"v": 1, "type": "owner.change", "at": registry.tick(), "name": "other", "prev": latest("other"),
             "add": [{"id": "u_3", "role": "creator"}], "remove": [], "by": "u_2"}
        )
    )  # fmt: skip
    registry.record(
        LogKey.model_validate(
            {
                "v": 1,
                "type": "log.key",
                "at": registry.tick(),
                "name": ".log",
                "prev": -1,
                "vkey": "x",
                "from": 9,
            }
        )
    )
    size = registry.log.size
    reader = TileReader(size, lambda path: registry.files[f"log/{path}"])
    replay = HistoryState()
    for index, data in enumerate(reader.records(0, size)):
        record = parse_record(data)
        assert encode_record(record) == data
        replay.apply(index, record)
    assert replay == registry.state
    assert registry.state.names["other"].owner == "u_2"
    assert registry.state.names["other"].members == {("u_3", "creator")}


def test_a_broken_record_leaves_the_state_as_it_was() -> None:
    registry = sample_registry()
    before = copy.deepcopy(registry.state)
    size, at = registry.log.size, registry.at
    for record in (
        _claim("acme", at, registry.state.latest("acme")),
        _claim("new", at, 3),
        _claim("new", 5),
        MapRecord(v=1, type="map", at=at, size=size + 1, root="0" * 64),
    ):
        _refused(lambda record=record: registry.state.apply(size, record))  # type: ignore[misc]  # bound in the loop
    _refused(lambda: registry.state.apply(size - 1, _claim("new", at)))
    assert registry.state == before


def test_a_name_is_claimed_before_anything_else() -> None:
    _refused(lambda: MemoryRegistry().enrol("acme", key_signer(1)))


def test_a_first_signer_comes_once_for_package_and_namespace_together() -> None:
    registry = sample_registry()
    _refused(lambda: registry.enrol("acme/flows", key_signer(2)))
    _refused(lambda: registry.enrol("acme", key_signer(2)))
    registry.revoke_key("acme", key_signer(1))
    _refused(lambda: registry.enrol("acme", key_signer(2)))
    _refused(lambda: registry.add_key("acme", key_signer(2), key_signer(1)))


def test_a_package_with_signers_of_its_own_is_signed_by_them_alone() -> None:
    registry = sample_registry()
    registry.add_key("acme/flows", key_signer(2), key_signer(1))
    entries = melody_entries("flows", "2.0.0")
    _refused(lambda: registry.publish("acme/flows", "2.0.0", entries, key_signer(1)))
    registry.publish("acme/flows", "2.0.0", entries, key_signer(2))
    registry.revoke_key("acme/flows", key_signer(2))
    registry.publish("acme/flows", "2.1.0", entries, key_signer(1))


def test_a_signer_stands_once_and_is_revoked_once() -> None:
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(1))
    _refused(lambda: registry.add_key("acme", key_signer(2), key_signer(1)))
    registry.revoke_key("acme", key_signer(2))
    _refused(lambda: registry.revoke_key("acme", key_signer(2)))
    _refused(lambda: registry.add_key("acme", key_signer(2), key_signer(1)))
    _refused(lambda: registry.revoke_key("acme", key_signer(1), since=10_000))


def test_a_recovered_signer_counts_after_seven_days() -> None:
    registry = sample_registry()
    registry.recover_key("acme/flows", key_signer(2))
    entries = melody_entries("flows", "2.0.0")
    _refused(lambda: registry.publish("acme/flows", "2.0.0", entries, key_signer(2)))
    registry.tick(RECOVERY_DELAY_S)
    registry.publish("acme/flows", "2.0.0", entries, key_signer(2))


@pytest.mark.parametrize("version", ["1.2.0", "1.2.0+build.5"])
def test_a_version_exists_once_for_ever(version: str) -> None:
    registry = sample_registry()
    registry.yank("acme/flows", "1.2.0")
    _refused(lambda: registry.publish("acme/flows", version, melody_entries("flows", version), key_signer(1)))


def test_statuses_name_versions_that_exist() -> None:
    registry = sample_registry()
    _refused(lambda: registry.yank("acme/flows", "9.0.0"))
    _refused(lambda: registry.quarantine("acme/flows", "9.0.0"))


RECORD: dict[str, Any] = _claim().to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"type": "unknown"},
        {"name": "Acme"},
        {"name": "acme/flows/x"},
        {"name": "a--b"},
        {"name": "-a"},
        {"name": "a" * 41},
        {"at": -1},
        {"at": "1"},
        {"prev": -2},
        {"owner": "Jane Doe"},
        {"how": "asked nicely"},
        {"comment": "free text"},
    ],
)
def test_refuses_records_of_another_form(change: dict[str, Any]) -> None:
    _refused(lambda: record_from_json({**RECORD, **change}), "PLY5008")
    for key in RECORD:
        _refused(lambda key=key: record_from_json({k: v for k, v in RECORD.items() if k != key}), "PLY5008")  # type: ignore[misc]  # bound in the loop


def test_a_reason_is_a_code_and_since_stands_only_with_compromised() -> None:
    registry = sample_registry()
    registry.yank("acme/flows", "1.0.0")
    yank = parse_index(registry.fetch("index/acme/flows.jsonl"))[-1].record.to_json()
    _refused(lambda: record_from_json({**yank, "reason": "because Jane said so"}), "PLY5008")
    _refused(lambda: record_from_json({**yank, "version": None}), "PLY5008")
    revoke: dict[str, Any] = {
        "v": 1, "type": "key.revoke", "at": 1, "name": "acme", "prev": 0, "signer": HINT, "reason": "rotated",
    }  # fmt: skip
    assert record_from_json(revoke).to_json() == revoke
    for change in ({"since": 1}, {"since": None}, {"reason": "compromised"}, {"signer": "x"}):
        _refused(lambda change=change: record_from_json({**revoke, **change}), "PLY5008")  # type: ignore[misc]  # bound in the loop


def test_refuses_a_record_that_is_too_long() -> None:
    _refused(lambda: parse_record(b" " * 4_097), "PLY5008")


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[]\n",
        b"\n",
        encode_line(0, _claim())[:-1],
        encode_line(0, _claim()) + b" \n",
        encode_line(0, _claim()).replace(b'"i":0', b'"i":-1'),
        encode_line(0, _claim()).replace(b'"i":0', b'"i":true'),
        encode_line(0, _claim()).replace(b'"m":{}', b'"m":[]'),
        encode_line(0, _claim()).replace(b'"m":{},', b""),
        canonical.encode(
            {"i": 0, "m": {}, "r": MapRecord(v=1, type="map", at=1, size=0, root="0" * 64).to_json()}
        )
        + b"\n",
    ],
)
def test_refuses_index_lines_of_another_form(line: bytes) -> None:
    _refused(lambda: parse_index(line), "PLY5009")


@given(st.binary(max_size=100))
def test_random_bytes_give_only_our_errors(data: bytes) -> None:
    _refused(lambda: parse_record(data), "PLY5008")
    _refused(lambda: parse_map_proof(data), "PLY5014")
    if data:
        _refused(lambda: parse_index(data), "PLY5009")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)), max_size=25))
def test_server_and_client_agree_on_random_histories(acts: list[tuple[int, int, int]]) -> None:
    """The server's state over all records equals the client's over those of one package and its namespace."""
    registry = MemoryRegistry()
    for act, first, second in acts:
        try:
            _act(registry, act, first, second)
        except FormatError as error:
            assert error.code == "PLY5013"
    for name in ("acme/a", "acme/b"):
        lines = [
            *parse_index(b"".join(registry.lines.get(name, []))),
            *parse_index(registry.namespace_lines(name)),
        ]
        client = HistoryState()
        for line in sorted(lines, key=lambda line: line.index):
            client.apply(line.index, line.record)
        assert client.names.get(name) == registry.state.names.get(name)
        assert client.names.get("acme") == registry.state.names.get("acme")


def _act(registry: MemoryRegistry, act: int, first: int, second: int) -> None:
    name = ("acme", "acme/a", "acme/b", "acme/a")[first]
    one, other = key_signer(1 + first), key_signer(1 + second)
    if act == 0:
        registry.claim(name)
    elif act == 1:
        registry.enrol(name, other)
    elif act == 2:
        registry.add_key(name, one, other)
    elif act == 3:
        registry.revoke_key(name, other, since=0 if second == 0 else None)
    elif act == 4 and "/" in name:
        registry.publish(name, f"1.{second}.0", melody_entries(name[5:], f"1.{second}.0"), other)
    elif act == 5 and "/" in name:
        registry.yank(name, f"1.{second}.0")
    else:
        registry.tick(RECOVERY_DELAY_S)
        registry.recover_key(name, other)


def test_the_entry_of_a_key_names_it() -> None:
    assert key_entry(key_signer(1)).id == HINT
