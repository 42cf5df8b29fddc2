from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from polyphony_schemas.errors import FormatError, TrustError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.archive import pack_archive
from polyphony_schemas.trust.bundle import sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.notes import Checkpoint, sign_checkpoint
from polyphony_schemas.trust.records import KeyAdd, NameClaim, Publish, RecordSigner
from polyphony_schemas.trust.tree import Entry, tree_id
from polyphony_schemas.trust.verification import STEPS, Consent, Locked, Seen, Verified, check_commit
from support.trust_client import Client, bind, codes, lie, refused
from support.trust_registry import (
    MemoryRegistry,
    key_entry,
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


def test_refuses_a_map_that_is_not_the_last_leaf() -> None:
    registry = sample_registry()
    size = registry.log.size
    old = registry.fetch(f"log/map/{size - 2}/acme/flows")
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {f"log/map/{size}/acme/flows": old})
    assert refused(client).code == "PLY5301"
    client.fetch = lie(registry.fetch, {f"log/map/{size}/acme/flows": b"{}"})
    assert refused(client).code == "PLY5301"


def _without_line(number: int) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(line for place, line in enumerate(data.splitlines(True)) if place != number)


def _reversed(data: bytes) -> bytes:
    return b"".join(reversed(data.splitlines(True)))


@pytest.mark.parametrize(
    "change",
    [_without_line(0), _without_line(2), _without_line(3), _reversed, lambda _: b"", lambda data: data[:-1]],
)
def test_refuses_an_index_that_is_not_complete(change: Callable[[bytes], bytes]) -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {"index/acme/flows.jsonl": change})
    assert refused(client).code == "PLY5302"


def test_refuses_a_hidden_yank_with_old_lines_and_the_reverse() -> None:
    registry = sample_registry()
    index, size = registry.fetch("index/acme/flows.jsonl"), registry.log.size
    proof = registry.fetch(f"log/map/{size}/acme/flows")
    registry.yank("acme/flows", "1.2.0")
    client = Client.of(registry)
    assert refused(client).code == "PLY5305"
    client.fetch = lie(registry.fetch, {"index/acme/flows.jsonl": index})
    assert refused(client).code == "PLY5302"
    client.fetch = lie(registry.fetch, {f"log/map/{registry.log.size}/acme/flows": proof})
    assert refused(client).code == "PLY5301"


def test_refuses_the_chain_of_another_name_and_false_absence() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    size = registry.log.size
    client.fetch = lie(registry.fetch, {"namespace/acme.jsonl": b""})
    assert refused(client).code == "PLY5302"
    other = registry.fetch(f"log/map/{size}/other/@")
    client.fetch = lie(registry.fetch, {"namespace/acme.jsonl": b"", f"log/map/{size}/acme/@": other})
    assert refused(client).code == "PLY5302"


def _moved(by: int) -> Callable[[bytes], bytes]:
    """The last line of an index under another index: no hash of the chain sees it."""

    def move(data: bytes) -> bytes:
        *lines, last = data.splitlines(True)
        value = json.loads(last)
        value["i"] += by
        return b"".join([*lines, canonical.encode(value), b"\n"])

    return move


@pytest.mark.parametrize("path", ["index/acme/flows.jsonl", "namespace/acme.jsonl"])
@pytest.mark.parametrize("by", [-1, 1])
def test_refuses_a_last_record_under_another_index(path: str, by: int) -> None:
    registry = sample_registry()
    registry.claim("other/more")
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {path: _moved(by)})
    assert refused(client).code == "PLY5302"


def test_refuses_to_hide_a_quarantine_by_moving_a_version_below_since() -> None:
    registry = sample_registry()
    registry.claim("other/more")
    registry.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), key_signer(1))
    since = registry.state.latest("acme/flows")
    registry.revoke_key("acme", key_signer(1), since=since)
    client = Client.of(registry)
    assert refused(client, version="1.3.0").code == "PLY5306"
    client.fetch = lie(registry.fetch, {"index/acme/flows.jsonl": _moved(-1)})
    assert refused(client, version="1.3.0").code == "PLY5302"


def test_refuses_resolver_permissions_that_the_record_does_not_bind() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.fetch = lie(
        registry.fetch,
        {
            "index/acme/flows.jsonl": lambda data: data.replace(
                b'"permissions":{}', b'"permissions":{"run":["make"]}'
            )
        },
    )
    assert refused(client).code == "PLY5302"


def test_refuses_a_version_that_is_not_there() -> None:
    assert refused(Client.of(sample_registry()), version="9.9.9").code == "PLY5303"


def _publish_again(registry: MemoryRegistry, **change: object) -> None:
    lines = registry.lines["acme/flows"]
    last = json.loads(lines[-1])
    record = {**last["r"], "prev": last["i"], "at": registry.tick(), **change}
    registry.append(Publish.model_validate(record), {"kind": "melody", "permissions": {}})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"version": "1.2.0+build", "tree": "0" * 64},
        {"version": "1.4.0", "prev": -1},
        {"version": "1.4.0", "at": 5},
    ],
)
def test_refuses_a_log_that_breaks_its_rules(change: dict[str, object]) -> None:
    registry = sample_registry()
    _publish_again(registry, **change)
    assert refused(Client.of(registry)).code == "PLY5304"


def test_refuses_a_second_claim() -> None:
    registry = sample_registry()
    prev = registry.state.latest("acme/flows")
    registry.append(
        NameClaim(
            v=1, type="name.claim", at=registry.tick(), name="acme/flows", prev=prev, owner="u_2", how="new"
        )
    )
    assert refused(Client.of(registry)).code == "PLY5304"


def test_refuses_a_quarantined_version_and_a_quarantined_package() -> None:
    registry = sample_registry()
    registry.quarantine("acme/flows", "1.1.0")
    client = Client.of(registry)
    assert client.verify("acme/flows", "1.2.0")
    assert refused(client, version="1.1.0").code == "PLY5306"
    registry.quarantine("acme/flows", None)
    assert refused(replace(client, now=registry.at)).code == "PLY5306"


def test_what_a_compromised_key_signed_is_quarantined_from_the_moment_said() -> None:
    registry = sample_registry()
    last = json.loads(registry.lines["acme/flows"][-1])["i"]
    registry.revoke_key("acme", key_signer(1), since=last)
    client = Client.of(registry)
    assert client.verify("acme/flows", "1.1.0")
    assert refused(client, version="1.2.0").code == "PLY5306"


def test_a_yanked_version_stays_installable_from_the_lock() -> None:
    registry = sample_registry()
    locked = Client.of(registry).verify("acme/flows", "1.2.0").to_locked()
    registry.yank("acme/flows", "1.2.0")
    assert replace(Client.of(registry), consent=Consent(locked=locked)).verify("acme/flows", "1.2.0")


def test_refuses_a_version_by_a_signer_that_nobody_authorised_or_that_was_revoked() -> None:
    registry = sample_registry()
    foreign = hint_of(key_signer(8).public_key())
    _publish_again(registry, version="2.0.0", signer=RecordSigner(kind="key", id=foreign))
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5309"
    registry = sample_registry()
    registry.revoke_key("acme", key_signer(1))
    _publish_again(registry, version="2.0.0")
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5309"


def _with_second_key() -> MemoryRegistry:
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(1))
    registry.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), key_signer(2))
    return registry


def test_accepts_a_second_key_that_the_first_one_authorised() -> None:
    verified = Client.of(_with_second_key()).verify("acme/flows", "2.0.0")
    assert [link.auth for link in verified.signers][-1] == "first"
    assert len(verified.signers) == 2


def test_refuses_a_key_whose_authorisation_is_not_by_a_current_signer() -> None:
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(3))
    registry.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), key_signer(2))
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5309"


def test_refuses_an_authorisation_of_another_key_or_for_another_name() -> None:
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(1))
    auth = json.loads(registry.lines["acme"][-1])["r"]["auth"]
    for name in ("acme", "acme/flows"):
        copy = sample_registry()
        copy.files.update({path: data for path, data in registry.files.items() if path.startswith("bundle/")})
        signer = key_signer(4) if name == "acme" else key_signer(2)
        copy.record(
            KeyAdd(
                v=1,
                type="key.add",
                at=copy.tick(),
                name=name,
                prev=copy.state.latest(name),
                signer=key_entry(signer),
                auth=auth,
            )
        )
        copy.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), signer)
        assert refused(Client.of(copy), version="2.0.0").code == "PLY5309"


def test_refuses_a_chain_of_more_than_eight_hops() -> None:
    registry = sample_registry()
    for number in range(2, 12):
        registry.add_key("acme", key_signer(number), key_signer(number - 1))
        registry.publish(
            "acme/flows", f"2.{number}.0", melody_entries("flows", f"2.{number}.0"), key_signer(number)
        )
    client = Client.of(registry)
    assert client.verify("acme/flows", "2.9.0")
    assert refused(client, version="2.10.0").code == "PLY5309"


def _last(registry: MemoryRegistry) -> dict[str, str]:
    record: dict[str, str] = json.loads(registry.lines["acme/flows"][-1])["r"]
    return record


def _bundle_path(registry: MemoryRegistry) -> str:
    return f"bundle/{_last(registry)['bundle']}.json"


def test_refuses_a_bundle_that_is_not_the_logged_one() -> None:
    registry = sample_registry()
    first = json.loads(registry.lines["acme/flows"][1])["r"]["bundle"]
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {_bundle_path(registry): registry.fetch(f"bundle/{first}.json")})
    assert refused(client).code == "PLY5401"
    client.fetch = lie(registry.fetch, {_bundle_path(registry): bytes(70_000)})
    assert refused(client).code == "PLY5401"


def _logged_with(bundle: Callable[[bytes], bytes], **change: object) -> MemoryRegistry:
    """A registry that logged a bundle (made from the honest statement of 2.0.0) without looking at it."""
    registry = sample_registry()
    entries = melody_entries("flows", "2.0.0")
    statement = registry.statement("acme/flows", "2.0.0", entries, key_signer(1), permissions={})
    digest = registry.store_bundle(bundle(statement))
    registry.files[f"archive/{tree_id(entries)}.tar.gz"] = pack_archive(entries)
    manifest = sha256_hex(entries["melody.yaml"].data)
    _publish_again(
        registry, version="2.0.0", tree=tree_id(entries), manifest=manifest, bundle=digest, **change
    )
    return registry


def _signed(
    change: Callable[[dict[str, object]], object] | None = None, key: int = 1
) -> Callable[[bytes], bytes]:
    def make(statement: bytes) -> bytes:
        value = json.loads(statement)
        if change is not None:
            change(value)
        return sign_statement(canonical.encode(value), key_signer(key))

    return make


def test_the_harness_of_the_following_refusals_passes_without_a_change() -> None:
    assert Client.of(_logged_with(_signed())).verify("acme/flows", "2.0.0")


def test_refuses_a_logged_bundle_that_breaks_the_format() -> None:
    assert refused(Client.of(_logged_with(lambda _: b"{}")), version="2.0.0").code == "PLY5402"


def test_refuses_a_bundle_by_a_key_that_is_not_the_signer() -> None:
    assert refused(Client.of(_logged_with(_signed(key=5))), version="2.0.0").code == "PLY5403"


def test_refuses_a_forged_signature() -> None:
    def forge(statement: bytes) -> bytes:
        bundle = json.loads(sign_statement(statement, key_signer(1)))
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = encode_base64(bytes(64))
        return canonical.encode(bundle)

    assert refused(Client.of(_logged_with(forge)), version="2.0.0").code == "PLY5404"


@pytest.mark.parametrize(
    ("code", "path", "value"),
    [
        ("PLY5501", ("_type",), "https://in-toto.io/Statement/v0.1"),
        ("PLY5501", ("predicateType",), "urn:polyphony:attestation:other:v1"),
        ("PLY5501", ("predicate", "extra"), "x"),
        ("PLY5502", ("subject",), []),
        ("PLY5502", ("subject", 0, "digest"), {"sha256": "0" * 64}),
        ("PLY5502", ("subject", 0, "digest"), {"gitTree": "0" * 40}),
        ("PLY5502", ("subject", 0, "name"), "pkg:polyphony/acme/other@2.0.0"),
        ("PLY5503", ("predicate", "registry"), "other.example"),
        ("PLY5503", ("predicate", "name"), "acme/other"),
        ("PLY5503", ("predicate", "version"), "2.0.1"),
        ("PLY5503", ("predicate", "commit"), {"format": "sha1", "id": "cd" * 20}),
        ("PLY5503", ("predicate", "tree"), "1" * 64),
        ("PLY5503", ("predicate", "manifest", "sha256"), "1" * 64),
        ("PLY5503", ("predicate", "permissions"), {"sha256": "1" * 64}),
        ("PLY5504", ("predicate", "publisher", "id"), encode_base64(bytes(32))),
    ],
)
def test_refuses_a_statement_that_says_something_else(
    code: str, path: tuple[str | int, ...], value: object
) -> None:
    def change(statement: dict[str, object]) -> None:
        here: object = statement
        for part in path[:-1]:
            here = here[part]  # type: ignore[index]  # JSON of a known shape
        here[path[-1]] = value  # type: ignore[index]  # JSON of a known shape

    assert refused(Client.of(_logged_with(_signed(change))), version="2.0.0").code == code


def _locked(registry: MemoryRegistry, version: str = "1.2.0") -> Locked:
    return Client.of(registry).verify("acme/flows", version).to_locked()


def test_refuses_a_publisher_that_the_policy_does_not_list() -> None:
    client = replace(Client.of(sample_registry()), consent=Consent(allowed_signers=frozenset()))
    assert refused(client).code == "PLY5601"


def test_a_signer_that_the_locked_one_authorised_is_accepted_with_a_note() -> None:
    registry = _with_second_key()
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
    return f"archive/{_last(registry)['tree']}.tar.gz"


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
