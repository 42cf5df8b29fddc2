from __future__ import annotations

from dataclasses import replace

import pytest

from polyphony_schemas.errors import FormatError, TrustError
from polyphony_schemas.trust.archive import pack_archive
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.tree import Entry
from polyphony_schemas.trust.verification import Consent, Locked, Seen, Verified, check_commit
from support.trust_client import Client, last_record, lie, refused
from support.trust_registry import (
    MemoryRegistry,
    key_signer,
    melody_entries,
    registry_with_second_key,
    sample_registry,
)

HINT = hint_of(key_signer(1).public_key())


def _locked(registry: MemoryRegistry, version: str = "1.2.0") -> Locked:
    return Client.of(registry).verify("acme/flows", version).to_locked()


def test_refuses_a_publisher_that_the_policy_does_not_list() -> None:
    client = replace(Client.of(sample_registry()), consent=Consent(allowed_signers=frozenset()))
    assert refused(client).code == "PLY5601"


def test_a_signer_that_the_locked_one_authorised_is_accepted_with_a_note() -> None:
    registry = registry_with_second_key()
    client = replace(Client.of(registry), consent=Consent(locked=_locked(registry)))
    assert "authorised by the locked one" in client.verify("acme/flows", "2.0.0").notes[0]


def test_a_recovered_signer_is_refused_until_accepted_and_seven_days_old() -> None:
    registry = sample_registry()
    locked = _locked(registry)
    registry.recover_key("acme/flows", key_signer(6))
    registry.tick(8 * 86_400)
    registry.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), key_signer(6))
    client = replace(Client.of(registry), consent=Consent(locked=locked))
    assert refused(client, version="2.0.0").code == "PLY5602"
    accepted = replace(client, consent=Consent(locked=locked, accept_signer=True))
    assert "accepted by you" in accepted.verify("acme/flows", "2.0.0").notes[0]


def test_a_recovered_signer_does_not_count_before_seven_days() -> None:
    registry = sample_registry()
    registry.recover_key("acme/flows", key_signer(6))
    with pytest.raises(FormatError, match="no current signer"):
        registry.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), key_signer(6))


def test_refuses_a_version_that_is_too_young_unless_the_lock_has_it() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.binding = replace(client.binding, minimum_age_s=3 * 86_400)
    assert refused(client).code == "PLY5603"
    locked = _locked(registry)
    assert replace(client, consent=Consent(locked=locked)).verify("acme/flows", "1.2.0")
    assert replace(client, consent=Consent(minimum_age_s=0)).verify("acme/flows", "1.2.0")


def _history_only(client: Client, version: str) -> Verified:
    from polyphony_schemas.trust.verification import verify_version

    return verify_version(
        client.history("acme/flows"),
        version,
        binding=client.binding,
        consent=client.consent,
        fetch_bundle=lambda digest: client.fetch(f"bundle/{digest}.json"),
        now=client.now,
    )


def test_refuses_wider_permissions_until_they_are_accepted() -> None:
    registry = sample_registry()
    locked = _locked(registry)
    entries = melody_entries("flows", "2.0.0")
    record = registry.publish(
        "acme/flows", "2.0.0", entries, key_signer(1), permissions={"run": ["git", "make"]}
    )
    client = replace(Client.of(registry), consent=Consent(locked=locked))
    with pytest.raises(TrustError) as error:
        _history_only(client, "2.0.0")
    assert error.value.code == "PLY5604"
    assert record.permissions in error.value.hint
    assert error.value.details["permissions"] == {"run": ["git", "make"]}
    client.consent = Consent(locked=locked, permissions=record.permissions)
    wide = _history_only(client, "2.0.0").to_locked()
    registry.publish("acme/flows", "2.1.0", entries, key_signer(1), permissions={"run": ["git"]})
    client.consent, client.now = Consent(locked=wide), registry.at
    assert _history_only(client, "2.1.0").version == "2.1.0"
    client.consent = Consent(permissions="0" * 64)
    with pytest.raises(TrustError, match="you accepted"):
        _history_only(client, "2.1.0")


def _archive(registry: MemoryRegistry) -> str:
    return f"archive/{last_record(registry)['tree']}.tar.gz"


@pytest.mark.parametrize(
    "entries",
    [
        melody_entries("flows", "1.2.0", extra=b"x"),
        {"melody.yaml": Entry("100755", melody_entries("flows", "1.2.0")["melody.yaml"].data)},
        {"melody.yaml": Entry("100644", b"melody: v2\n")},
        {},
    ],
)
def test_refuses_other_content(entries: dict[str, Entry]) -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {_archive(registry): pack_archive(entries)})
    assert refused(client).code == "PLY5702"


def test_refuses_a_bomb_before_anything_else() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    bomb = pack_archive({"a": Entry("100644", bytes(9 * 1024 * 1024))})
    client.fetch = lie(registry.fetch, {_archive(registry): bomb})
    assert refused(client).code == "PLY5701"


def test_refuses_a_signed_tree_that_is_not_safe() -> None:
    registry = sample_registry()
    entries = {**melody_entries("flows", "2.0.0"), "link": Entry("120000", b"../../etc/passwd")}
    registry.publish("acme/flows", "2.0.0", entries, key_signer(1))
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5703"


def test_refuses_a_manifest_of_another_package_and_hidden_permissions() -> None:
    registry = sample_registry()
    registry.publish("acme/flows", "2.0.0", melody_entries("other", "2.0.0"), key_signer(1))
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5704"
    registry.publish(
        "acme/flows", "2.1.0", melody_entries("flows", "2.1.0"), key_signer(1), permissions={"run": ["make"]}
    )
    assert refused(Client.of(registry), version="2.1.0").code == "PLY5706"


def test_a_point_of_size_zero_is_always_consistent() -> None:
    from polyphony_schemas.trust.merkle import EMPTY_ROOT

    client = replace(Client.of(sample_registry()), seen=(Seen(0, EMPTY_ROOT, "the lock"),))
    assert client.verify("acme/flows", "1.2.0")


def test_a_clone_must_be_the_signed_commit_and_hold_the_signed_tree() -> None:
    verified = Client.of(sample_registry()).verify("acme/flows", "1.2.0")
    check_commit("ab" * 20, verified.tree, verified)
    for commit, tree, code in (("cd" * 20, verified.tree, "PLY5705"), ("ab" * 20, "0" * 64, "PLY5705")):
        with pytest.raises(TrustError) as error:
            check_commit(commit, tree, verified)
        assert error.value.code == code
