"""Write the golden vectors of the trust formats. ``--check`` only says whether they are current.

Everything comes from fixed seeds and times, so running it again gives the same bytes; a test does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from generated_files import write_or_check
from polyphony_schemas.trust.bundle import pae, parse_bundle, sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.keys import KeySigner, hint_of
from polyphony_schemas.trust.log_writer import LogWriter
from polyphony_schemas.trust.map_proof import MapProof, encode_map_proof
from polyphony_schemas.trust.merkle import inclusion_proof, leaf_hash
from polyphony_schemas.trust.notes import NoteSigner, sign_checkpoint
from polyphony_schemas.trust.records import (
    KeyAdd,
    MapRecord,
    NameClaim,
    NamedRecord,
    Publish,
    RecordSigner,
    encode_record,
)
from polyphony_schemas.trust.statement import (
    PAYLOAD_TYPE,
    Commit,
    KeyEntry,
    KeyIdentity,
    ManifestClaim,
    PublishPredicate,
    Sha256,
    Source,
    publish_statement,
)
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.tree import Entry, tree_id

TARGET = Path(__file__).parent.parent / "tests" / "data" / "trust" / "vectors.json"
TIME = 1_790_000_000
COSIGNED = 1_790_000_005

TREES: dict[str, dict[str, tuple[str, bytes]]] = {
    "T1": {},
    "T2": {"melody.yaml": ("100644", b"melody: v1\n")},
    "T3": {"melody.yaml": ("100755", b"melody: v1\n")},
    "T4": {
        "a.txt": ("100644", b"hello"),
        "sub/run.sh": ("100755", b"#!/bin/sh\n"),
        "link": ("120000", b"a.txt"),
    },
    "T5": {"a.b": ("100644", b""), "a/x": ("100644", b""), "a0": ("100644", b"")},
    "T6": {"\u00e9.md": ("100644", b"x\n")},
    "T7": {"e\u0301.md": ("100644", b"x\n")},
    "T8": {"w.txt": ("100644", b"a\r\nb\r\n")},
    "T9": {"d1/d2/d3/f": ("100644", b"deep")},
}


def entries_of(tree: dict[str, tuple[str, bytes]]) -> dict[str, Entry]:
    """Give the entries of a vector."""
    return {path: Entry(mode, data) for path, (mode, data) in tree.items()}  # type: ignore[arg-type]  # modes above


def build() -> dict[str, object]:
    """Give all vectors as one JSON object."""
    signer = KeySigner(_key(1))
    hint = hint_of(signer.public_key())
    predicate = PublishPredicate(
        registry="registry.example",
        name="acme/flows",
        version="1.2.0",
        kind="melody",
        commit=Commit(format="sha1", id="ab" * 20),
        tree=tree_id(entries_of(TREES["T4"])),
        manifest=ManifestClaim(path="melody.yaml", sha256=sha256_hex(b"melody: v1\n")),
        permissions=Sha256(sha256=sha256_hex(b'{"network":["api.openai.com:443"],"read":["."]}')),
        publisher=KeyIdentity(kind="key", id=hint),
        source=Source(uri="https://github.com/acme/flows", ref="refs/tags/v1.2.0"),
    )
    statement = publish_statement(predicate).to_bytes()
    bundle = sign_statement(statement, signer)
    return {
        "trees": {name: tree_id(entries_of(tree)) for name, tree in TREES.items()},
        "signature": {
            "hint": hint,
            "statement": statement.decode(),
            "statement_sha256": sha256_hex(statement),
            "pae_sha256": sha256_hex(pae(PAYLOAD_TYPE, statement)),
            "sig": encode_base64(parse_bundle(bundle).signature),
            "bundle": bundle.decode(),
            "bundle_sha256": sha256_hex(bundle),
        },
        "log": _log(predicate, signer, sha256_hex(bundle)),
    }


def _log(predicate: PublishPredicate, signer: KeySigner, bundle: str) -> dict[str, object]:
    hint = hint_of(signer.public_key())
    entry = KeyEntry(kind="key", id=hint, spki=encode_base64(signer.public_key()))
    records: list[NamedRecord] = [
        NameClaim(v=1, type="name.claim", at=TIME, name="acme/flows", prev=-1, owner="u_01h", how="new"),
        KeyAdd(v=1, type="key.add", at=TIME + 1, name="acme/flows", prev=0, signer=entry, auth="first"),
        Publish(
            v=1,
            type="publish",
            at=TIME + 2,
            name="acme/flows",
            prev=1,
            version=predicate.version,
            commit=predicate.commit.id,
            tree=predicate.tree,
            manifest=predicate.manifest.sha256,
            permissions=predicate.permissions.sha256,
            bundle=bundle,
            signer=RecordSigner(kind="key", id=hint),
        ),
    ]
    log = LogWriter()
    for record in records:
        log.append_record(record)
    heads = log.map
    checkpoint = log.seal("registry.example/log", TIME + 3)
    writer = NoteSigner("registry.example/log", _key(2))
    witness = NoteSigner("witness.example/w1", _key(3))
    note = sign_checkpoint(checkpoint, [writer]) + witness.cosign(checkpoint.text(), COSIGNED).encode()
    sealed = MapRecord(v=1, type="map", at=TIME + 3, size=3, root=heads.root().hex())
    files = {address.path: data for address, data in log.new_tiles(0)}
    reader = TileReader(log.size, files.__getitem__)
    proof = MapProof(
        log.size, sealed, tuple(inclusion_proof(3, 4, reader.range_root)), heads.prove("acme/flows")
    )
    entries = [encode_record(record) for record in (*records, sealed)]
    return {
        "vkey": str(writer.verifier_key()),
        "witness_vkey": str(witness.verifier_key(4)),
        "records": [data.decode() for data in entries],
        "leaves": [leaf_hash(data).hex() for data in entries],
        "head": heads.head("acme/flows").hex(),
        "map_root": heads.root().hex(),
        "note": note.decode(),
        "map_proof": encode_map_proof(proof).decode(),
        "tiles": {path: data.hex() for path, data in sorted(files.items())},
    }


def _key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def render() -> str:
    """Give the text of the file."""
    return json.dumps(build(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check({TARGET: render()}))
