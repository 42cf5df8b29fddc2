from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.archive import pack_archive
from polyphony_schemas.trust.bundle import sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.keys import hint_of
from polyphony_schemas.trust.tree import tree_id
from support.trust_client import Client, last_record, lie, publish_again, refused
from support.trust_registry import (
    MemoryRegistry,
    key_signer,
    melody_entries,
    sample_registry,
)

HINT = hint_of(key_signer(1).public_key())


def _bundle_path(registry: MemoryRegistry) -> str:
    return f"bundle/{last_record(registry)['bundle']}.json"


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
    publish_again(
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
