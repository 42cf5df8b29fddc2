"""What a run is evidence of: an in-toto statement with SLSA provenance v1, in a DSSE envelope.

Subjects are the outputs of the run and ``bundle.json``, which names every other file by its digest. ``buildType`` is
``urn:polyphony:run:v1``: external parameters are the melody and the run's inputs, internal ones its ceiling of
permissions and how it was run; resolved dependencies are the packages by tree id. The one signature is by the key that
``bundle.json`` names; ``keyid`` is the SHA-256 of its raw bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyphony_runner.bundles.facts import Facts
from polyphony_runner.bundles.layout import CONTENTS, encode
from polyphony_runner.runs.head import verifies
from polyphony_runner.runs.produced import Produced
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.statement import PAYLOAD_TYPE, STATEMENT_TYPE, package_url
from polyphony_schemas.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:polyphony:run:v1"


@dataclass(frozen=True, slots=True)
class Provenance:
    """A statement whose signature holds: the run it is about, and its subjects' digests by name."""

    run: str
    subjects: Mapping[str, str]


def statement(facts: Facts, by: str, files: Mapping[str, tuple[str, int]], contents: str) -> JsonObject:
    """The statement; ``contents`` is the digest of ``bundle.json``, ``files`` what that names."""
    created = facts.created
    subjects: list[JsonValue] = [{"name": CONTENTS, "digest": {"sha256": contents}}]
    subjects += [
        {"name": f"outputs.{_place(one)}", "digest": {"sha256": one.digest}} for one in facts.outputs
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "melody": {name: created.get(name) for name in ("name", "version", "tree", "local")},
                    "inputs": {_place(one): {"sha256": one.digest} for one in facts.inputs},
                },
                "internalParameters": {
                    "ceiling": created.get("ceiling"),
                    "sandbox": not created.get("unsafe_no_sandbox"),
                    "cache": bool(created.get("cache")),
                },
                "resolvedDependencies": list(_dependencies(facts)),
            },
            "runDetails": {
                "builder": {"id": "urn:polyphony:runner", "version": {"polyphony": by.rpartition(" ")[2]}},
                "metadata": {
                    "invocationId": facts.run,
                    **({"startedOn": facts.started} if facts.started else {}),
                    **({"finishedOn": facts.finished} if facts.finished else {}),
                },
                "byproducts": [
                    {"name": name, "digest": {"sha256": digest}}
                    for name, (digest, _) in sorted(files.items())
                ],
            },
        },
    }


def _place(one: Produced) -> str:
    return f"{one.port}/{one.name}" if one.within else str(one.port)


def _dependencies(facts: Facts) -> Iterator[JsonValue]:
    seen: set[tuple[str, str]] = set()
    for package in facts.packages:
        tree = package.tree or ""
        if (package.name, tree) in seen:
            continue
        seen.add((package.name, tree))
        found: dict[str, JsonValue] = {"name": package.name, "annotations": {"version": package.version}}
        if tree:
            found |= {"uri": package_url(package.name, package.version), "digest": {"sha256": tree}}
        yield found


def sign(document: JsonObject, key: Ed25519PrivateKey) -> bytes:
    """The envelope around a statement."""
    from polyphony_schemas.trust.bundle import pae

    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    raw = key.public_key().public_bytes_raw()
    signature = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload))).decode()
    return encode(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": sha256_hex(raw), "sig": signature}],
        }
    )


def read_provenance(data: bytes, key: bytes) -> Provenance:
    """Check the one signature of an envelope with a raw public key; ``ValueError`` and kin for whatever is wrong."""
    from polyphony_schemas.trust.bundle import pae

    envelope = json.loads(data)
    if envelope["payloadType"] != PAYLOAD_TYPE or len(envelope["signatures"]) != 1:
        raise ValueError("it is no DSSE envelope with one signature around an in-toto statement")
    payload = base64.b64decode(envelope["payload"], validate=True)
    signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    if not verifies(key, pae(PAYLOAD_TYPE, payload), signature):
        raise ValueError("its signature does not hold")
    document = json.loads(payload)
    if document["_type"] != STATEMENT_TYPE or document["predicateType"] != PREDICATE_TYPE:
        raise ValueError("it is no in-toto statement with SLSA provenance v1")
    subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in document["subject"]}
    return Provenance(str(document["predicate"]["runDetails"]["metadata"]["invocationId"]), subjects)
