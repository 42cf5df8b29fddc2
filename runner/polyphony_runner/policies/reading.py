"""Reading ``/etc/polyphony/policy.yaml`` and the home's ``policy.yaml``. What cannot be read forbids everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.policies.model import LEVELS, Policy, PolicyFile, Rule
from polyphony_schemas.values import JsonValue

if TYPE_CHECKING:
    from polyphony_schemas.yaml12 import Document

# The administrator's. No flag and no variable leads elsewhere.
SYSTEM = Path("/etc/polyphony/policy.yaml")
_LARGEST = 1 << 20
_NAME = re.compile(r"[a-z0-9*-]+/[a-z0-9*-]+")
_HOST = re.compile(r"package-index|[a-z0-9*_.-]+(:(\d{1,5}|\*))?|[0-9a-f:*]+")
_KEYS = (
    "policy", "extensions", "registries", "signers", "minimum_level", "network", "unsafe_no_sandbox", "trusted_usage",
)  # fmt: skip


def read_policy(home: Home, system: Path | None = None) -> Policy:
    """Both files, the administrator's first; PLY3730 when one cannot be used."""
    return Policy(
        tuple(
            file
            for path in (system or SYSTEM, home.root / "policy.yaml")
            if (file := _read(path)) is not None
        )
    )


def _read(path: Path) -> PolicyFile | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(f"{path}: {error.strerror}") from error
    from polyphony_schemas.yaml12 import read_yaml

    document = read_yaml(data, str(path))
    if document.problems:
        first = document.problems[0]
        raise _unusable(f"{path}:{first.line}: {first.message}")
    return _parsed(document)


def _parsed(document: Document) -> PolicyFile:
    value = document.value
    if not isinstance(value, Mapping) or value.get("policy") != "v1":
        raise _unusable(f"{document.file}:1: expected a map that begins with policy: v1")
    for key in value:
        if key not in _KEYS and not key.startswith("x-"):
            raise _wrong(document, f"/{key}", f"{key!r} is no rule, expected {', '.join(_KEYS[1:])}")
    network = value.get("network", {})
    if not isinstance(network, Mapping) or not network.keys() <= {"allow", "deny"}:
        raise _wrong(document, "/network", "expected a map with allow and deny")
    return PolicyFile(
        extensions=_list(document, value, "extensions", _NAME),
        registries=_list(document, value, "registries", None),
        signers=_list(document, value, "signers", None),
        minimum_level=_word(document, value, "minimum_level", LEVELS[:-1]),
        allowed_hosts=_list(document, network, "allow", _HOST, below="/network"),
        denied_hosts=_list(document, network, "deny", _HOST, below="/network"),
        unsandboxed=_word(document, value, "unsafe_no_sandbox", ("forbidden",)),
        trusted_usage=_list(document, value, "trusted_usage", _NAME),
    )


def _list(
    document: Document,
    within: Mapping[str, JsonValue],
    key: str,
    shape: re.Pattern[str] | None,
    *,
    below: str = "",
) -> Rule | None:
    if key not in within:
        return None
    items, pointer = within[key], f"{below}/{key}"
    if not isinstance(items, list):
        raise _wrong(document, pointer, "expected a list")
    for number, item in enumerate(items):
        if not isinstance(item, str) or (shape is not None and not shape.fullmatch(item)):
            raise _wrong(document, f"{pointer}/{number}", f"{item!r} is nothing that {key} can name")
    return Rule(tuple(str(item) for item in items), _place(document, pointer))


def _word(
    document: Document, within: Mapping[str, JsonValue], key: str, words: tuple[str, ...]
) -> Rule | None:
    if key not in within:
        return None
    word = within[key]
    if not isinstance(word, str) or word not in words:
        raise _wrong(document, f"/{key}", f"got {word!r}, expected {' or '.join(words)}")
    return Rule((word,), _place(document, f"/{key}"))


def _place(document: Document, pointer: str) -> str:
    return f"{document.file}:{document.place(pointer).key_line}"


def _wrong(document: Document, pointer: str, why: str) -> ClientError:
    return _unusable(f"{document.file}:{document.place(pointer).line}: {why}")


def _unusable(why: str) -> ClientError:
    return ClientError(
        "PLY3730",
        f"the policy cannot be used, so nothing may run: {why}",
        hint="mend the file; docs/policy.md shows every rule",
    )
