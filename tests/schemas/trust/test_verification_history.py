from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.records import KeyAdd, NameClaim, RecordSigner
from polyphony_schemas.trust.verification import Consent
from support.trust_client import Client, lie, publish_again, refused
from support.trust_registry import (
    key_entry,
    key_signer,
    melody_entries,
    registry_with_second_key,
    sample_registry,
)

HINT = hint_of(key_signer(1).public_key())


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


def test_lists_the_steps_that_passed_before_the_one_that_failed() -> None:
    registry = sample_registry()
    client = Client.of(registry)
    client.fetch = lie(registry.fetch, {"index/acme/flows.jsonl": b""})
    with pytest.raises(TrustError):
        client.verify("acme/flows", "1.2.0")
    assert [(item["step"], item["ok"], item["code"]) for item in client.steps.items] == [
        ("name", True, None),
        ("checkpoint", True, None),
        ("history", False, "PLY5302"),
    ]


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
    publish_again(registry, **change)
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
    publish_again(registry, version="2.0.0", signer=RecordSigner(kind="key", id=foreign))
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5309"
    registry = sample_registry()
    registry.revoke_key("acme", key_signer(1))
    publish_again(registry, version="2.0.0")
    assert refused(Client.of(registry), version="2.0.0").code == "PLY5309"


def test_accepts_a_second_key_that_the_first_one_authorised() -> None:
    verified = Client.of(registry_with_second_key()).verify("acme/flows", "2.0.0")
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
