"""Any one-bit change of any file that a registry serves is refused, or changes nothing that was verified."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import TrustError
from support.trust_client import Client, lie
from support.trust_registry import key_signer, melody_entries, sample_registry

REGISTRY = sample_registry()
CLIENT = Client.of(REGISTRY)
BEFORE = CLIENT.verify("acme/flows", "1.2.0")
SEEN = CLIENT.seen
# The log has grown since, so that a consistency proof is read too.
REGISTRY.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), key_signer(1))
SIZE = REGISTRY.log.size

ASKED: set[str] = set()


def _recorded(path: str) -> bytes:
    ASKED.add(path)
    return REGISTRY.fetch(path)


def _client() -> Client:
    return Client(CLIENT.binding, _recorded, REGISTRY.at + 10, seen=SEEN)


HONEST = _client().verify("acme/flows", "1.3.0")
PATHS = sorted(ASKED)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(PATHS), st.integers(0), st.integers(0, 7))
def test_a_changed_bit_is_refused_or_harmless(path: str, place: int, bit: int) -> None:
    data = bytearray(REGISTRY.fetch(path))
    data[place % len(data)] ^= 1 << bit
    client = _client()
    client.fetch = lie(REGISTRY.fetch, {path: bytes(data)})
    try:
        assert client.verify("acme/flows", "1.3.0") == HONEST
    except TrustError as error:
        assert error.code[:4] == "PLY5"
        assert client.steps.items[-1]["ok"] is False


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_end_is_refused(path: str) -> None:
    client = _client()
    client.fetch = lie(REGISTRY.fetch, {path: REGISTRY.fetch(path)[:-1]})
    with pytest.raises(TrustError):
        client.verify("acme/flows", "1.3.0")


def test_every_kind_of_file_took_part() -> None:
    kinds = {path.split("/")[0] + "/" + path.split("/")[1][:4] for path in PATHS}
    assert {"log/chec", "log/map", "log/tile", "index/acme", "namespace/acme"} <= kinds
    assert any(path.startswith("bundle/") for path in PATHS)
    assert any(path.startswith("archive/") for path in PATHS)
