"""The smallest client: takes every byte from ``fetch`` and runs steps 1 to 7 in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.history import namespace_of
from polyphony_schemas.trust.records import Publish
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.tree import Entries
from polyphony_schemas.trust.verification import (
    Binding,
    Consent,
    Evidence,
    History,
    ManifestFacts,
    Seen,
    StepList,
    Verified,
    check_checkpoint,
    check_content,
    check_name,
    unpack,
    verify_history,
    verify_version,
)
from polyphony_schemas.trust.verification.model import VerifiedCheckpoint
from polyphony_schemas.yaml12 import read_yaml
from support.trust_registry import MemoryRegistry

Fetch = Callable[[str], bytes]


def read_manifest(path: str, entries: Entries) -> ManifestFacts:
    """Facts of the small packages of these tests, whose permissions are empty."""
    value = read_yaml(entries[path].data, path).value
    assert isinstance(value, dict)
    return ManifestFacts(str(value["name"]), str(value["version"]), canonical.digest({}))


def bind(registry: MemoryRegistry) -> Binding:
    """A binding of the namespace ``acme`` without a minimum age."""
    return Binding(registry.origin, registry.log_origin, registry.vkey, ("acme",), minimum_age_s=0)


@dataclass
class Client:
    """A client with memory; ``now`` is a parameter, as everywhere."""

    binding: Binding
    fetch: Fetch
    now: int
    consent: Consent = field(default_factory=Consent)
    seen: tuple[Seen, ...] = ()
    steps: StepList = field(default_factory=StepList)

    @classmethod
    def of(cls, registry: MemoryRegistry) -> Client:
        """A client of an honest registry, a moment after its newest record."""
        return cls(bind(registry), registry.fetch, registry.at + 10)

    def checkpoint(self) -> VerifiedCheckpoint:
        """Step 2 as far as the note goes."""
        return check_checkpoint(
            self.fetch("log/checkpoint"),
            self.binding,
            seen=self.seen,
            consistency=lambda checkpoint, old: self._tiles(checkpoint.size).consistency(old),
            now=self.now,
        )

    def history(self, name: str) -> History:
        """Steps 1 to 3 for a name."""
        with self.steps.step(1, "bound"):
            binding = check_name(name, [self.binding])
        with self.steps.step(2, "fresh"):
            verified = self.checkpoint()
            size, namespace = verified.checkpoint.size, namespace_of(name)
            evidence = Evidence(
                self.fetch(f"index/{name}.jsonl"),
                self.fetch(f"log/map/{size}/{name}"),
                self.fetch(f"namespace/{namespace}.jsonl"),
                self.fetch(f"log/map/{size}/{namespace}/@"),
            )
            return verify_history(
                name,
                evidence,
                verified,
                binding=binding,
                now=self.now,
                on_fresh=self._remember,
                inclusion=lambda checkpoint, index: self._tiles(checkpoint.size).inclusion(index),
            )

    def verify(self, name: str, version: str) -> Verified:
        """Steps 1 to 7."""
        history = self.history(name)
        verified = verify_version(
            history,
            version,
            binding=self.binding,
            consent=self.consent,
            fetch_bundle=lambda digest: self.fetch(f"bundle/{digest}.json"),
            now=self.now,
            steps=self.steps,
        )
        with self.steps.step(7, "the signed tree"):
            entries = unpack([self.fetch(f"archive/{verified.tree}.tar.gz")])
            check_content(entries, verified, read_manifest, locked=self.consent.locked)
        return verified

    def _tiles(self, size: int) -> TileReader:
        return TileReader(size, lambda path: self.fetch(f"log/{path}"))

    def _remember(self, verified: VerifiedCheckpoint) -> None:
        self.seen = (Seen(verified.checkpoint.size, verified.checkpoint.root),)


def refused(client: Client, name: str = "acme/flows", version: str = "1.2.0") -> TrustError:
    """The refusal of a verification that must fail; its step is the last of the list."""
    client = replace(client, steps=StepList())
    try:
        client.verify(name, version)
    except TrustError as error:
        last = client.steps.items[-1]
        assert last["code"] == error.code
        assert last["ok"] is False
        return error
    raise AssertionError("accepted")


def lie(fetch: Fetch, answers: dict[str, bytes | Callable[[bytes], bytes]]) -> Fetch:
    """``fetch`` with other answers for some paths: bytes, or a change of the honest ones."""

    def answer(path: str) -> bytes:
        if path not in answers:
            return fetch(path)
        change = answers[path]
        return change if isinstance(change, bytes) else change(fetch(path))

    return answer


def codes(steps: StepList) -> list[object]:
    """The names of the steps that were done."""
    return [item["step"] for item in steps.items]


def publish_again(registry: MemoryRegistry, **change: object) -> None:
    """Log the newest version of ``acme/flows`` once more, changed, without asking the rules."""
    lines = registry.lines["acme/flows"]
    last = json.loads(lines[-1])
    record = {**last["r"], "prev": last["i"], "at": registry.tick(), **change}
    registry.append(Publish.model_validate(record), {"kind": "melody", "permissions": {}})


def last_record(registry: MemoryRegistry) -> dict[str, str]:
    """The newest record of ``acme/flows``."""
    record: dict[str, str] = json.loads(registry.lines["acme/flows"][-1])["r"]
    return record
