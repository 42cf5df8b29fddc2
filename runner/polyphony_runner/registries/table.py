"""All bindings of a home, and the one registry that a name belongs to (step 1 of the verification)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace

from polyphony_runner.errors import ClientError
from polyphony_runner.files import exclusive
from polyphony_runner.home import Home
from polyphony_runner.registries.binding import Binding, read_binding, write_binding
from polyphony_runner.registries.memory import Memory
from polyphony_schemas.errors import TrustError
from polyphony_schemas.names import FIRST_PARTY_OWNER, did_you_mean


class Registries:
    """The registries that were added to a home. ``first``: by origin, an address to ask first in this process."""

    def __init__(self, home: Home, first: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._first = first or {}

    def all(self) -> list[Binding]:
        """Every binding, by origin."""
        if not self.home.registries.is_dir():
            return []
        folders = sorted(path.parent for path in self.home.registries.glob("*/binding.yaml"))
        found = [read_binding(folder) for folder in folders]
        return [
            one.first_asking(self._first[one.origin]) if one.origin in self._first else one for one in found
        ]

    def add(self, binding: Binding) -> Binding:
        """Bind namespaces; for an origin that is known, addresses and namespaces are added to it.

        Raises PLY6503 when a namespace is bound to another registry, PLY6504 for another log key of a known
        origin: both are decisions of a person, by ``registry remove`` first.
        """
        with exclusive(self.home.registries / ".lock"):
            for other in self.all():
                if other.origin == binding.origin:
                    binding = _merged(other, binding)
                elif taken := sorted(set(other.namespaces) & set(binding.namespaces)):
                    raise ClientError(
                        "PLY6503",
                        f"the namespace {taken[0]!r} is bound to {other.origin!r} already",
                        hint=f"a name belongs to one registry; polyphony registry remove {other.origin} first",
                    )
            write_binding(self.home.registry(binding.origin), binding)
        return binding

    def remove(self, origin: str) -> Binding:
        """Forget a registry, with what was remembered of its log; PLY6505 when there is none."""
        with exclusive(self.home.registries / ".lock"):
            binding = self.by_origin(origin)
            shutil.rmtree(self.home.registry(binding.origin))
        return binding

    def by_origin(self, origin: str) -> Binding:
        """The binding of an origin (or of one of its addresses); PLY6505 when there is none."""
        for binding in self.all():
            if origin in (binding.origin, *binding.urls):
                return binding
        raise ClientError(
            "PLY6505",
            f"no registry {origin!r} was added",
            hint="polyphony registry list shows them, polyphony registry add adds one",
        )

    def for_name(self, name: str) -> Binding:
        """Step 1: the one registry that speaks for ``owner/name``. TrustError PLY5101, PLY5102; no fallback."""
        from polyphony_schemas.trust.verification import check_name

        known = {binding.origin: binding for binding in self.all()}
        try:
            return known[check_name(name, (binding.rules() for binding in known.values())).origin]
        except TrustError as error:
            if error.code == "PLY5102":
                error.hint = _unbound(name.partition("/")[0], known.values())
            raise

    def memory(self, binding: Binding) -> Memory:
        """What this client remembers of the registry's log."""
        return Memory(self.home.registry(binding.origin))


def _unbound(owner: str, known: Iterable[Binding]) -> str:
    """How to bind a namespace, or that another one was meant."""
    add = f"polyphony registry add URL --log-key VKEY --namespace {owner}"
    names = sorted({name for binding in known for name in binding.namespaces})
    if not names:
        return add
    meant = did_you_mean(owner, names) or f"bound here: {', '.join(names)}"
    bare = ", for which a name without an owner stands" if owner == FIRST_PARTY_OWNER else ""
    return f"{meant}; {add} binds {owner!r}{bare}"


def _merged(old: Binding, new: Binding) -> Binding:
    if old.log_key != new.log_key:
        raise ClientError(
            "PLY6504",
            f"{new.origin!r} was added with another log key: {old.log_key}",
            hint="if its owner announced a new key, remove the registry and add it again; else somebody lies",
        )
    return replace(
        new,
        urls=tuple(dict.fromkeys((*new.urls, *old.urls))),
        namespaces=tuple(dict.fromkeys((*old.namespaces, *new.namespaces))),
        namespace_ages={**old.namespace_ages, **new.namespace_ages},
    )
