"""What was verified at install, kept byte for byte beside the tree: enough to check again without a network.

``store/<tree>.proof.json``: ``{"proof": "v1", "name", "checkpoint", "package_index", "package_proof",
"namespace_index", "namespace_proof", "bundles": {DIGEST: BUNDLE}}``. It is a `Source` like a registry, and trusted
no more than one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_runner.errors import ClientError, TransportError
from polyphony_runner.http import Progress
from polyphony_schemas.trust.verification import Evidence
from polyphony_schemas.values import Digest, TreeId

_TEXTS = ("name", "checkpoint", "package_index", "package_proof", "namespace_index", "namespace_proof")


@dataclass(frozen=True, slots=True)
class StoredProof:
    """The proof of one package."""

    name: str
    note: bytes
    evidence: Evidence
    bundles: Mapping[str, bytes]

    def checkpoint(self, *, fresh: bool = False) -> bytes:
        """The checkpoint of that day."""
        del fresh
        return self.note

    def tile(self, path: str) -> bytes:
        """No tiles are kept."""
        raise _not_kept(f"log/{path}")

    def map_proof(self, size: int, name: str) -> bytes:
        """The proof of the package or of its namespace."""
        del size
        return self.evidence.package_proof if self._own(name) else self.evidence.namespace_proof

    def index(self, name: str, *, fresh: bool = False) -> bytes:
        """The history of the package or of its namespace."""
        del fresh
        return self.evidence.package_index if self._own(name) else self.evidence.namespace_index

    def bundle(self, digest: Digest) -> bytes:
        """A bundle that was verified that day."""
        found = self.bundles.get(digest)
        if found is None:
            raise _not_kept(f"bundle/{digest}.json")
        return found

    def archive(self, tree: TreeId, progress: Progress | None = None) -> bytes:
        """No archives are kept: the store has the files."""
        del progress
        raise _not_kept(f"archive/{tree}.tar.gz")

    def _own(self, name: str) -> bool:
        if name == self.name:
            return True
        if name == self.name.split("/", 1)[0]:
            return False
        raise _not_kept(f"index/{name}.jsonl")


def encode_proof(name: str, note: bytes, evidence: Evidence, bundles: Mapping[str, bytes]) -> bytes:
    """The document that is kept."""
    document = {
        "proof": "v1",
        "name": name,
        "checkpoint": note.decode(),
        "package_index": evidence.package_index.decode(),
        "package_proof": evidence.package_proof.decode(),
        "namespace_index": evidence.namespace_index.decode(),
        "namespace_proof": evidence.namespace_proof.decode(),
        "bundles": {digest: data.decode() for digest, data in bundles.items()},
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def decode_proof(data: bytes) -> StoredProof:
    """Read a kept proof; PLY6604 when it is broken."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("proof") != "v1":
            raise ValueError("expected proof: v1")
        texts = {key: str(document[key]).encode() for key in _TEXTS}
        bundles = {str(digest): str(text).encode() for digest, text in document["bundles"].items()}
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ClientError(
            "PLY6604",
            f"the proof kept in the store is broken: {error}",
            hint="polyphony install fetches it again",
        ) from error
    evidence = Evidence(
        texts["package_index"], texts["package_proof"], texts["namespace_index"], texts["namespace_proof"]
    )
    return StoredProof(texts["name"].decode(), texts["checkpoint"], evidence, bundles)


def _not_kept(what: str) -> TransportError:
    return TransportError(
        "PLY6107", f"{what} is needed, and this call is offline", hint="leave out --offline"
    )
