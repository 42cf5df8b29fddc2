"""Names, sizes and the table of contents of a bundle (``polyphony_runner.bundles``).

```
{"bundle":"v1","run":ID,"by":"polyphony VERSION","key":BASE64,"files":{NAME:{"sha256","size"}},
 "artifacts":{DIGEST:{"size","here"}},"logs":{DIGEST:{"size","here"}}}
```

``key`` is the raw public key (Ed25519) of whoever exported the run, which signs ``provenance.json``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_schemas.errors import InputError
from polyphony_schemas.values import JsonObject, JsonValue

CONTENTS = "bundle.json"
PROVENANCE = "provenance.json"
CRATE = "ro-crate-metadata.json"
JOURNAL = "journal.jsonl"
HEAD = "head.json"
RECORD = "run.json"
GRAPH = "graph.json"
LOCK = "melody.lock"
# What stands beside the table of contents, since it is about it.
UNLISTED = frozenset({CONTENTS, PROVENANCE})
NEEDED = frozenset({CONTENTS, PROVENANCE, CRATE, JOURNAL, RECORD, GRAPH})
_NAME = re.compile(r"logs/[0-9a-f]{64}\.jsonl|artifacts/[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")

MOST_FILES = 400_000
MOST_DIRECTORY_BYTES = 128 << 20
MOST_DOCUMENT_BYTES = 128 << 20
MOST_LINE_BYTES = 32 << 20


class BundleError(InputError):
    """A run cannot be exported, or a file is no sound bundle."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file, or something the journal names: its size in bytes, and whether it is in the bundle."""

    size: int
    here: bool = True


@dataclass(frozen=True, slots=True)
class Contents:
    """The table of contents. ``files`` maps a name to digest and size, the others a digest to what is known of it."""

    run: str
    by: str
    key: bytes
    files: Mapping[str, tuple[str, int]]
    artifacts: Mapping[str, Listed] = field(default_factory=dict)
    logs: Mapping[str, Listed] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes of ``bundle.json``."""
        document: JsonObject = {
            "bundle": "v1",
            "run": self.run,
            "by": self.by,
            "key": base64.b64encode(self.key).decode(),
            "files": {
                name: {"sha256": digest, "size": size} for name, (digest, size) in sorted(self.files.items())
            },
            "artifacts": _listed(self.artifacts),
            "logs": _listed(self.logs),
        }
        return encode(document)

    @classmethod
    def decode(cls, data: bytes) -> Contents:
        """Read ``bundle.json``; ``ValueError``, LookupError or TypeError when it is none."""
        document = json.loads(data)
        if document["bundle"] != "v1":
            raise ValueError(f"a bundle of version {str(document['bundle'])[:20]!r}, expected 'v1'")
        files = {
            _text(name): (_digest(one["sha256"]), _size(one["size"]))
            for name, one in document["files"].items()
        }
        key = base64.b64decode(_text(document["key"]), validate=True)
        artifacts, logs = (_read_listed(document[name]) for name in ("artifacts", "logs"))
        return cls(_text(document["run"]), _text(document["by"]), key, files, artifacts, logs)


def encode(document: JsonObject) -> bytes:
    """A document of a bundle: JSON for people too, the same bytes every time."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "surrogatepass")


def is_name(name: str) -> bool:
    """Whether a file of a bundle may be called so."""
    return name in NEEDED or name in (HEAD, LOCK) or _NAME.fullmatch(name) is not None


def artifact_name(digest: str) -> str:
    """Where an artifact lies in a bundle."""
    return f"artifacts/{digest}"


def log_name(digest: str) -> str:
    """Where a log lies in a bundle."""
    return f"logs/{digest}.jsonl"


def _listed(items: Mapping[str, Listed]) -> dict[str, JsonValue]:
    return {digest: {"size": one.size, "here": one.here} for digest, one in sorted(items.items())}


def _read_listed(value: Mapping[str, Mapping[str, JsonValue]]) -> dict[str, Listed]:
    return {_digest(digest): Listed(_size(one["size"]), one["here"] is True) for digest, one in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {str(value)[:40]!r}, expected a text")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError(f"got {str(value)[:80]!r}, expected 64 hexadecimal digits")
    return value


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"got {str(value)[:40]!r}, expected a number of bytes")
    return value
