from __future__ import annotations

from dataclasses import replace

import pytest

from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.notes import Checkpoint, sign_checkpoint
from polyphony_schemas.trust.verification import STEPS
from support.trust_client import Client, bind, codes, lie, refused
from support.trust_registry import (
    MemoryRegistry,
    key_signer,
    melody_entries,
    sample_registry,
)

HINT = hint_of(key_signer(1).public_key())


def test_an_honest_registry_passes_every_step() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    verified = client.verify("acme/flows", "1.2.0")
    assert verified.version == "1.2.0"
    assert verified.signer == HINT
    assert codes(client.steps) == list(STEPS[:7])
    assert all(item["ok"] for item in client.steps.items)


def test_the_log_may_grow_between_two_verifications() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.verify("acme/flows", "1.2.0")
    registry.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), key_signer(1))
    client.now = registry.at + 1
    assert client.verify("acme/flows", "1.3.0").version == "1.3.0"


def test_lines_newer_than_the_checkpoint_are_ignored() -> None:
    registry = sample_registry()
    note = registry.fetch("log/checkpoint")
    registry.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), key_signer(1))
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {"log/checkpoint": note})
    assert client.verify("acme/flows", "1.2.0").version == "1.2.0"
    assert refused(client, version="1.3.0").code == "PLY5303"


@pytest.mark.parametrize(
    "name", ["acme", "Acme/flows", "acme/fl--ows", "acme/flows\n", "а/b", "acme/" + "a" * 41]
)
def test_refuses_names_that_are_not_canonical(name: str) -> None:
    assert refused(Client.of(sample_registry()), name).code == "PLY5101"


def test_refuses_a_namespace_that_is_bound_to_nobody() -> None:
    assert refused(Client.of(sample_registry()), "other/flows").code == "PLY5102"


def test_refuses_a_page_that_is_no_note() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {"log/checkpoint": b"<html>busy</html>"})
    assert refused(client).code == "PLY5201"


def test_refuses_a_checkpoint_by_another_key_or_of_another_origin() -> None:
    registry = sample_registry()
    foreign = replace(bind(registry), vkey=MemoryRegistry(log_seed=9).vkey)
    assert refused(replace(Client.of(registry), binding=foreign)).code == "PLY5202"
    other = Checkpoint("other.example/log", 4, bytes(32))
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {"log/checkpoint": sign_checkpoint(other, [registry.note_signer])})
    assert refused(client).code == "PLY5202"


def test_refuses_a_checkpoint_that_too_few_witnesses_cosigned() -> None:
    registry = sample_registry()
    witness = MemoryRegistry(origin="witness.example", log_seed=3).note_signer
    binding = replace(bind(registry), witnesses=(str(witness.verifier_key(4)),), quorum=1)
    client = replace(Client.of(registry), binding=binding)
    assert refused(client).code == "PLY5203"
    note = registry.fetch("log/checkpoint")
    text = note.decode().split("\n\n")[0] + "\n"
    client.fetch = lie(registry.fetch, {"log/checkpoint": note + witness.cosign(text, client.now).encode()})
    assert client.verify("acme/flows", "1.2.0")
    old = note + witness.cosign(text, client.now - 3 * 86_400).encode()
    client.fetch = lie(registry.fetch, {"log/checkpoint": old})
    assert refused(client).code == "PLY5204"


def test_refuses_a_frozen_log_and_one_from_the_future() -> None:
    client = Client.of(sample_registry())
    late = refused(replace(client, now=client.now + 3 * 86_400))
    assert (late.code, late.step) == ("PLY5204", 2)
    early = refused(replace(client, now=client.now - 3 * 86_400))
    assert early.code == "PLY5207"
    assert "clock" in early.message


def test_memory_does_not_advance_on_a_stale_log() -> None:
    client = Client.of(sample_registry())
    client.now += 3 * 86_400
    with pytest.raises(TrustError):
        client.verify("acme/flows", "1.2.0")
    assert client.seen == ()


def test_refuses_a_rollback() -> None:
    registry = sample_registry()
    old = registry.fetch("log/checkpoint")
    registry.claim("acme/later")
    client = Client.of(registry)
    client.verify("acme/flows", "1.2.0")
    client.fetch = lie(registry.fetch, {"log/checkpoint": old})
    assert refused(client).code == "PLY5205"


@pytest.mark.parametrize("more", [0, 1, 7])
def test_refuses_a_fork_of_the_log(more: int) -> None:
    honest = sample_registry()
    client = Client.of(honest)
    client.verify("acme/flows", "1.2.0")
    fork = MemoryRegistry()
    fork.claim("acme")
    fork.enrol("acme", key_signer(7))
    fork.claim("acme/flows")
    fork.claim("other")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        fork.publish("acme/flows", version, melody_entries("flows", version, evil=b"x"), key_signer(7))
    for number in range(more):
        fork.claim(f"acme/more{number}")
    error = refused(replace(client, fetch=fork.fetch, now=fork.at))
    assert error.code == "PLY5206"
    assert error.details["seen_size"] == honest.log.size


def test_refuses_a_short_tile_in_a_consistency_proof() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.verify("acme/flows", "1.2.0")
    registry.claim("acme/later")
    tile = f"log/tile/0/000.p/{registry.log.size}"
    assert refused(replace(client, fetch=lie(registry.fetch, {tile: b"short"}))).code == "PLY5206"
