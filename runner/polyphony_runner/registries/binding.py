"""A binding: these namespaces belong to that registry, whose log is verified by this key.

``registries/<origin>/binding.yaml``::

    binding: v1
    origin: "registry.example"
    log_key: "registry.example/log+3f13663a+AYE5…"
    urls: ["https://registry.example"]
    namespaces: ["acme", "polyphony"]
    minimum_age: "72h"
    namespace_ages: {"acme": "0s"}
    max_age: "24h"

A registry is its origin, never its address: addresses may change, be added, be mirrors. ``minimum_age`` is how
long a version must have been public before it is chosen, ``max_age`` how old the newest sign of life of its log
may be. The log key is given by a person, never learnt from the registry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder, write_atomic
from polyphony_schemas.errors import FormatError
from polyphony_schemas.scalars import format_duration, parse_duration
from polyphony_schemas.values import JsonValue

if TYPE_CHECKING:
    from polyphony_schemas.trust.verification import Binding as Rules

DEFAULT_MINIMUM_AGE_MS = parse_duration("72h")
DEFAULT_MAX_AGE_MS = parse_duration("24h")
LOG_SUFFIX = "/log"
_REQUIRED = ("binding", "origin", "log_key", "urls", "namespaces")
_OPTIONAL = ("minimum_age", "namespace_ages", "max_age")


@dataclass(frozen=True, slots=True)
class Binding:
    """One registry as this client knows it; ages in milliseconds."""

    origin: str
    log_key: str
    urls: tuple[str, ...]
    namespaces: tuple[str, ...]
    minimum_age: int = DEFAULT_MINIMUM_AGE_MS
    namespace_ages: Mapping[str, int] = field(default_factory=dict)
    max_age: int = DEFAULT_MAX_AGE_MS

    @property
    def log_origin(self) -> str:
        """The first line of the log's checkpoints, which is also the name of its key."""
        return self.log_key.split("+", 1)[0]

    @property
    def url(self) -> str:
        """The address to ask first, without a slash at its end."""
        return self.urls[0]

    def minimum_age_of(self, namespace: str) -> int:
        """How long a version of this namespace must have been public, in milliseconds."""
        return self.namespace_ages.get(namespace, self.minimum_age)

    def first_asking(self, url: str) -> Binding:
        """The same registry, asked at ``url`` first."""
        rest = tuple(one for one in self.urls if one != url)
        return replace(self, urls=(url, *rest))

    def rules(self) -> Rules:
        """The binding as the verification takes it, ages in seconds."""
        from polyphony_schemas.trust.verification import Binding as Rules

        return Rules(
            origin=self.origin,
            log_origin=self.log_origin,
            vkey=self.log_key,
            namespaces=self.namespaces,
            minimum_age_s=self.minimum_age // 1000,
            max_age_s=self.max_age // 1000,
        )

    def to_json(self) -> dict[str, object]:
        """The object of ``registry list --json``."""
        return {
            "origin": self.origin,
            "log_key": self.log_key,
            "urls": list(self.urls),
            "namespaces": list(self.namespaces),
            "minimum_age": format_duration(self.minimum_age),
            "namespace_ages": {name: format_duration(age) for name, age in self.namespace_ages.items()},
            "max_age": format_duration(self.max_age),
        }


def origin_of(log_key: str) -> str:
    """The registry's origin from its log key: ``registry.example`` of ``registry.example/log+…``; PLY6501."""
    from polyphony_schemas.trust.notes import parse_verifier_key

    try:
        name = parse_verifier_key(log_key).name
    except FormatError as error:
        raise ClientError(
            "PLY6501",
            f"{log_key[:80]!r} is no log key: {error.message}",
            hint="copy the whole line that polyphony registry init printed",
        ) from error
    origin, mark, _ = name.partition(LOG_SUFFIX)
    if not mark or not origin:
        raise ClientError(
            "PLY6501",
            f"the log key is for {name!r}, expected a name that ends in {LOG_SUFFIX!r}",
            hint="copy the whole line that polyphony registry init printed",
        )
    return origin


def write_binding(folder: Path, binding: Binding) -> None:
    """Write ``binding.yaml`` into the registry's folder."""
    lines = ["# Written by polyphony registry add", "binding: v1"]
    lines += [
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in _ordered(binding.to_json()).items()
    ]
    write_atomic(private_folder(folder) / "binding.yaml", ("\n".join(lines) + "\n").encode())


def read_binding(folder: Path) -> Binding:
    """Read ``binding.yaml``; PLY6502 names what is wrong with it."""
    from polyphony_schemas.yaml12 import read_yaml

    path = folder / "binding.yaml"
    document = read_yaml(path.read_bytes(), str(path))
    if document.problems:
        raise _broken(path, document.problems[0].message)
    value = document.value
    if not isinstance(value, Mapping):
        raise _broken(path, "it is no map")
    unknown = sorted(set(value) - {*_REQUIRED, *_OPTIONAL})
    missing = [key for key in _REQUIRED if key not in value]
    if unknown or missing or value["binding"] != "v1":
        raise _broken(path, f"unknown {unknown}, missing {missing}, expected binding: v1")
    try:
        return _binding(value)
    except (TypeError, KeyError, FormatError) as error:
        raise _broken(path, str(error)) from error


def _binding(value: Mapping[str, JsonValue]) -> Binding:
    ages = value.get("namespace_ages", {})
    if not isinstance(ages, Mapping):
        raise TypeError("namespace_ages is no map")
    binding = Binding(
        origin=_text(value["origin"]),
        log_key=_text(value["log_key"]),
        urls=_texts(value["urls"]),
        namespaces=_texts(value["namespaces"]),
        minimum_age=parse_duration(_text(value.get("minimum_age", format_duration(DEFAULT_MINIMUM_AGE_MS)))),
        namespace_ages={name: parse_duration(_text(age)) for name, age in ages.items()},
        max_age=parse_duration(_text(value.get("max_age", format_duration(DEFAULT_MAX_AGE_MS)))),
    )
    if not binding.urls or origin_of(binding.log_key) != binding.origin:
        raise TypeError("the log key is for another origin, or there is no address")
    return binding


def _ordered(value: Mapping[str, object]) -> dict[str, object]:
    return {key: value[key] for key in ("origin", *value) if value.get(key) not in ({}, None)}


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {value!r}, expected text")
    return value


def _texts(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"got {value!r}, expected a list")
    return tuple(_text(one) for one in value)


def _broken(path: Path, why: str) -> ClientError:
    return ClientError(
        "PLY6502", f"{path} cannot be used: {why}", hint="remove that folder and add the registry again"
    )
