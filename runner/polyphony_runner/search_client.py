"""Searching the registries that were added; the answers are hints for people and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_runner.api import Api
from polyphony_runner.errors import ClientError
from polyphony_runner.http import Transport, printable
from polyphony_runner.registries.binding import Binding
from polyphony_runner.registries.table import Registries
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; ``filters`` by the registry's names (kind, tag, permission)."""

    words: str
    limit: int = 20
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One package of an answer."""

    name: str
    version: str
    kind: str
    summary: str
    registry: str

    def to_json(self) -> dict[str, object]:
        """The object of ``search --json``."""
        return {
            "name": self.name,
            "version": self.version,
            "kind": self.kind,
            "summary": self.summary,
            "registry": self.registry,
        }


def search(
    registries: Registries, transport: Transport, query: Query, only: str | None = None
) -> list[Found]:
    """Ask every registry (or the one named ``only``) and keep their order; names outside a binding are left out.

    Raises PLY6505 when no registry was added, else what the first registry that fails says.
    """
    bindings = [
        one for one in registries.all() if only is None or only.rstrip("/") in (one.origin, *one.urls)
    ]
    if not bindings:
        raise ClientError(
            "PLY6505", "no registry was added", hint="polyphony registry add URL --log-key KEY --namespace NS"
        )
    found: list[Found] = []
    for binding in bindings:
        answer = Api(binding.url, transport).search(query.words, query.limit, query.filters)
        results = answer.get("results")
        for result in results if isinstance(results, list) else ():
            if isinstance(result, dict):
                found.extend(_bound(binding, result))
    return found[: query.limit]


def nearest_name(registries: Registries, transport: Transport, name: str) -> str:
    """The hint that names the package most like ``name``, as far as its registry knows one; "" when it does not say."""
    owner, _, package = name.partition("/")
    try:
        for words in (package, owner):
            names = [one.name for one in search(registries, transport, Query(words, limit=100))]
            found = did_you_mean(name, [one for one in names if one != name])
            if found:
                return found
    except ClientError:  # a hint is not worth an error
        pass
    return ""


def _bound(binding: Binding, result: JsonObject) -> list[Found]:
    """A result under a namespace that this registry speaks for; others would install from elsewhere."""
    name = str(result.get("name", ""))
    if name.split("/", 1)[0] not in binding.namespaces:
        return []
    version, kind, summary = (printable(str(result.get(key) or "")) for key in ("version", "kind", "summary"))
    return [Found(name, version, kind, summary, binding.origin)]
