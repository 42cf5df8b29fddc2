"""An honest registry in memory: it logs, seals and serves the same paths as the real one, as bytes.

It stands at the seam that clients fetch through, ``fetch(path) -> bytes``; a lying registry is a subclass (or a
wrapper of ``fetch``) that changes one answer. Nothing here draws random numbers or reads a clock: ``at`` moves by
``tick``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.archive import pack_archive
from polyphony_schemas.trust.bundle import sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.history import HistoryState, namespace_of
from polyphony_schemas.trust.index import encode_line
from polyphony_schemas.trust.keymap import KeyedMap
from polyphony_schemas.trust.keys import KeySigner, Signer, derive_private_key, hint_of
from polyphony_schemas.trust.log_writer import LogWriter
from polyphony_schemas.trust.map_proof import MapProof, encode_map_proof
from polyphony_schemas.trust.notes import Checkpoint, NoteSigner, sign_checkpoint
from polyphony_schemas.trust.records import (
    KeyAdd,
    KeyRevoke,
    MapRecord,
    NameClaim,
    NamedRecord,
    Publish,
    Quarantine,
    RecordSigner,
    Yank,
    parse_record,
)
from polyphony_schemas.trust.statement import (
    Commit,
    KeyEntry,
    KeyIdentity,
    KeyPredicate,
    ManifestClaim,
    PublishPredicate,
    Sha256,
    key_statement,
    publish_statement,
)
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.tree import Entries, Entry, tree_id
from polyphony_schemas.values import JsonObject

ORIGIN = "registry.example"
START = 1_790_000_000
ACCOUNT = "u_01h"


def key_signer(number: int) -> KeySigner:
    """A managed Ed25519 key from a fixed seed: the same number gives the same key."""
    key = derive_private_key("ed25519", bytes([number]) * 32)
    return KeySigner(key)


def key_entry(signer: Signer) -> KeyEntry:
    """The signer as ``key.add`` records carry it."""
    spki = signer.public_key()
    return KeyEntry(kind="key", id=hint_of(spki), spki=encode_base64(spki))


def melody_entries(name: str, version: str, **files: bytes) -> dict[str, Entry]:
    """A small package of kind melody; ``files`` adds members (``_`` in a keyword stands for ``.``)."""
    manifest = (
        f"melody: v1\nname: {name}\nversion: {version}\nsummary: A small package\nlicense: Apache-2.0\n"
        "nodes: {a: {uses: core/set, with: {n: 1}}}\n"
    )
    entries = {"melody.yaml": Entry("100644", manifest.encode())}
    entries.update({path.replace("_", "."): Entry("100644", data) for path, data in files.items()})
    return entries


@dataclass
class MemoryRegistry:
    """The registry; every change is sealed at once, so ``log/checkpoint`` is always the newest state."""

    origin: str = ORIGIN
    at: int = START
    log_seed: int = 2
    log: LogWriter = field(default_factory=LogWriter)
    state: HistoryState = field(default_factory=HistoryState)
    files: dict[str, bytes] = field(default_factory=dict)
    lines: dict[str, list[bytes]] = field(default_factory=dict)
    maps: dict[int, tuple[KeyedMap, MapRecord]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seed = bytes([self.log_seed]) * 32
        self.note_signer = NoteSigner(self.log_origin, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def log_origin(self) -> str:
        """The first line of checkpoints."""
        return f"{self.origin}/log"

    @property
    def vkey(self) -> str:
        """The log key as ``registry add --log-key`` takes it."""
        return str(self.note_signer.verifier_key())

    # What a registry does.

    def claim(self, name: str) -> int:
        """Log a ``name.claim``."""
        claim = NameClaim(
            v=1,
            type="name.claim",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            owner=ACCOUNT,
            how="new",
        )
        return self.record(claim)

    def enrol(self, name: str, signer: Signer) -> int:
        """Log the first signer of a name."""
        return self._key_add(name, key_entry(signer), "first")

    def add_key(self, name: str, new: Signer, by: Signer) -> int:
        """Log a further signer, authorised by a current one's key bundle."""
        predicate = KeyPredicate(
            registry=self.origin,
            name=name,
            signer=key_entry(new),
            publisher=KeyIdentity(kind="key", id=hint_of(by.public_key())),
        )
        bundle = sign_statement(key_statement(predicate).to_bytes(), by)
        return self._key_add(name, key_entry(new), self.store_bundle(bundle))

    def recover_key(self, name: str, new: Signer) -> int:
        """Log a signer that the operator added."""
        return self._key_add(name, key_entry(new), "recovery")

    def revoke_key(self, name: str, signer: Signer, *, since: int | None = None) -> int:
        """Log a revocation; with ``since`` the key was compromised."""
        more: dict[str, int] = {} if since is None else {"since": since}
        revoke = KeyRevoke(
            v=1,
            type="key.revoke",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            signer=hint_of(signer.public_key()),
            reason="rotated" if since is None else "compromised",
            **more,
        )
        return self.record(revoke)

    def publish(
        self,
        name: str,
        version: str,
        entries: Entries,
        signer: Signer,
        *,
        permissions: JsonObject | None = None,
        dependencies: Mapping[str, str] | None = None,
    ) -> Publish:
        """Sign, store and log a version; gives its record."""
        document = dict(permissions or {})
        statement = self.statement(name, version, entries, signer, permissions=document)
        bundle = self.store_bundle(sign_statement(statement, signer))
        predicate_manifest = "melody.yaml" if "melody.yaml" in entries else "extension.yaml"
        record = Publish(
            v=1,
            type="publish",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            version=version,
            commit="ab" * 20,
            tree=tree_id(entries),
            manifest=sha256_hex(entries[predicate_manifest].data),
            permissions=canonical.digest(document),
            bundle=bundle,
            signer=RecordSigner(kind="key", id=hint_of(signer.public_key())),
        )
        self.files[f"archive/{record.tree}.tar.gz"] = pack_archive(entries)
        kind = predicate_manifest.removesuffix(".yaml")
        self.record(record, {"kind": kind, "dependencies": dict(dependencies or {}), "permissions": document})
        return record

    def statement(
        self, name: str, version: str, entries: Entries, signer: Signer, *, permissions: JsonObject
    ) -> bytes:
        """The statement of a version, canonical bytes."""
        kind = "melody" if "melody.yaml" in entries else "extension"
        predicate = PublishPredicate(
            registry=self.origin,
            name=name,
            version=version,
            kind="melody" if kind == "melody" else "extension",
            commit=Commit(format="sha1", id="ab" * 20),
            tree=tree_id(entries),
            manifest=ManifestClaim(path=f"{kind}.yaml", sha256=sha256_hex(entries[f"{kind}.yaml"].data)),
            permissions=Sha256(sha256=canonical.digest(permissions)),
            publisher=KeyIdentity(kind="key", id=hint_of(signer.public_key())),
        )
        return publish_statement(predicate).to_bytes()

    def yank(self, name: str, version: str) -> int:
        """Log a yank."""
        yank = Yank(
            v=1,
            type="yank",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            version=version,
            reason="broken",
            by=ACCOUNT,
        )
        return self.record(yank)

    def quarantine(self, name: str, version: str | None) -> int:
        """Log a quarantine, of all versions with ``None``."""
        record = Quarantine(
            v=1,
            type="quarantine",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            version=version,
            reason="malware",
            by=ACCOUNT,
        )
        return self.record(record)

    def tick(self, seconds: int = 1) -> int:
        """Let time pass; gives the new time."""
        self.at += seconds
        return self.at

    # How it is kept and served.

    def record(self, record: NamedRecord, hints: JsonObject | None = None) -> int:
        """Log a record by the rules, and seal."""
        self.state.apply(self.log.size, record)
        return self.append(record, hints)

    def append(self, record: NamedRecord, hints: JsonObject | None = None) -> int:
        """Log a record without asking the rules (what a dishonest log would do), and seal."""
        index = self.log.append_record(record)
        self.lines.setdefault(record.name, []).append(encode_line(index, record, hints))
        self.seal()
        return index

    def seal(self) -> Checkpoint:
        """Append the map record, store tiles, then publish the signed checkpoint."""
        heads = self.log.map
        before = max(self.maps, default=0)
        checkpoint = self.log.seal(self.log_origin, self.tick())
        for address, data in self.log.new_tiles(before):
            self.files[f"log/{address.path}"] = data
        record = parse_record(self._last_record())
        assert isinstance(record, MapRecord)
        self.state.apply(record.size, record)
        self.maps[checkpoint.size] = (heads, record)
        self.files["log/checkpoint"] = sign_checkpoint(checkpoint, [self.note_signer])
        return checkpoint

    def store_bundle(self, data: bytes) -> str:
        """Keep a bundle by digest."""
        self.files[f"bundle/{sha256_hex(data)}.json"] = data
        return sha256_hex(data)

    def fetch(self, path: str) -> bytes:
        """Answer ``GET /path`` (leading slash optional); ``KeyError`` is this registry's 404."""
        path = path.removeprefix("/")
        kind, _, rest = path.partition("/")
        if path == "log/key":
            return (self.vkey + "\n").encode()
        if path.startswith("log/map/"):
            return self.map_file(path.removeprefix("log/map/"))
        if kind in {"index", "namespace"} and rest.endswith(".jsonl"):
            return b"".join(self.lines[rest.removesuffix(".jsonl")])
        return self.files[path]

    def map_file(self, rest: str) -> bytes:
        """The map proof ``SIZE/OWNER/NAME`` (``@``: the namespace)."""
        size_text, owner, name = rest.split("/")
        size = int(size_text)
        heads, record = self.maps[size]
        reader = TileReader(size, lambda path: self.files[f"log/{path}"])
        siblings = heads.prove(owner if name == "@" else f"{owner}/{name}")
        return encode_map_proof(MapProof(size, record, tuple(reader.inclusion(size - 1)), siblings))

    def namespace_lines(self, name: str) -> bytes:
        """The namespace's index, empty when it has no record."""
        return b"".join(self.lines.get(namespace_of(name), []))

    def _key_add(self, name: str, entry: KeyEntry, auth: str) -> int:
        add = KeyAdd(
            v=1,
            type="key.add",
            at=self.tick(),
            name=name,
            prev=self.state.latest(name),
            signer=entry,
            auth=auth,
        )
        return self.record(add)

    def _last_record(self) -> bytes:
        size = self.log.size
        reader = TileReader(size, lambda path: self.files[f"log/{path}"])
        return next(iter(reader.records(size - 1, size)))


def sample_registry() -> MemoryRegistry:
    """A registry with two namespaces and three versions of ``acme/flows``, signed by key 1."""
    registry = MemoryRegistry()
    signer = key_signer(1)
    registry.claim("acme")
    registry.enrol("acme", signer)
    registry.claim("acme/flows")
    registry.claim("other")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.publish("acme/flows", version, melody_entries("flows", version), signer)
    return registry


def registry_with_second_key() -> MemoryRegistry:
    """The sample registry; key 1 authorised key 2, which signed 2.0.0."""
    registry = sample_registry()
    registry.add_key("acme", key_signer(2), key_signer(1))
    registry.publish("acme/flows", "2.0.0", melody_entries("flows", "2.0.0"), key_signer(2))
    return registry
