"""An honest registry on loopback, a home that is bound to it, and what an install may leave behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.http import Transport
from polyphony_runner.install.installing import Installed, Request, install
from polyphony_runner.install.resolve import Policy
from polyphony_runner.registries.binding import Binding
from polyphony_runner.registries.table import Registries
from polyphony_runner.wire import Pace
from polyphony_schemas.names import parse_package
from polyphony_schemas.trust.tree import Entry
from support.served_registry import Served, served
from support.trust_registry import MemoryRegistry, key_signer, melody_entries

# For lies about time; honest answers get the patience of a busy machine.
FAST = Pace(seconds=20.0, rate=20_000, grace=2.0)
PATIENT = Pace(seconds=60.0, rate=1_000, grace=20.0)
SIGNER = key_signer(1)


@dataclass
class World:
    """What the tests of the client stand on. ``now`` is the client's clock."""

    served: Served
    home: Home
    now: int
    pace: Pace = PATIENT

    @property
    def registry(self) -> MemoryRegistry:
        return self.served.registry

    @property
    def registries(self) -> Registries:
        return Registries(self.home)

    def install(
        self,
        *names: str,
        lock: Path | None = None,
        frozen: bool = False,
        update: bool = False,
        policy: Policy | None = None,
        notices: list[str] | None = None,
        offline: bool = False,
    ) -> list[Installed]:
        request = Request(
            lock_path=lock or self.home.lock,
            references=[parse_package(name) for name in names],
            frozen=frozen,
            update=update,
            policy=policy or Policy(),
            notice=(notices if notices is not None else []).append,
        )
        with Transport(pace=self.pace, offline=offline) as transport:
            return install(self.registries, transport, request, now=self.now)

    def state(self) -> dict[str, bytes]:
        """Everything that an install may write: memory, lock, store; not the evidence of a fork."""
        found: dict[str, bytes] = {}
        for folder in (self.home.store, self.home.registries):
            for path in folder.rglob("*"):
                if path.is_file() and not path.name.startswith(("fork-", ".lock")):
                    found[str(path.relative_to(self.home.root))] = path.read_bytes()
        if self.home.lock.exists():
            found["melody.lock"] = self.home.lock.read_bytes()
        return found

    def evidence(self) -> list[Path]:
        return sorted(self.home.registries.rglob("fork-*.json"))


def a_registry() -> MemoryRegistry:
    """Two namespaces; ``acme/flows`` in three versions, of which one uses ``acme/tool``; one yanked version."""
    registry = MemoryRegistry()
    registry.claim("acme")
    registry.enrol("acme", SIGNER)
    for name in ("acme/flows", "acme/tool", "acme/wide"):
        registry.claim(name)
    registry.claim("other")
    registry.publish("acme/tool", "1.0.0", melody_entries("tool", "1.0.0"), SIGNER)
    registry.publish("acme/flows", "1.0.0", melody_entries("flows", "1.0.0"), SIGNER)
    registry.publish("acme/flows", "1.1.0", using("flows", "1.1.0", "acme/tool@^1"), SIGNER)
    registry.publish("acme/flows", "1.2.0", melody_entries("flows", "1.2.0"), SIGNER)
    registry.yank("acme/flows", "1.2.0")
    return registry


def using(name: str, version: str, *uses: str, permissions: str = "") -> dict[str, Entry]:
    """A melody whose nodes are the given packages, with a ceiling in flow YAML."""
    nodes = "".join(f"  n{number}: {{uses: {text}}}\n" for number, text in enumerate(uses))
    config = f"config: {{permissions: {permissions}}}\n" if permissions else ""
    text = (
        f"melody: v1\nname: {name}\nversion: {version}\nsummary: Uses others\nlicense: Apache-2.0\n{config}"
        f"nodes:\n{nodes or '  n: {uses: core/set}' + chr(10)}"
    )
    return {"melody.yaml": Entry("100644", text.encode())}


@contextlib.contextmanager
def world(
    folder: Path, registry: MemoryRegistry | None = None, namespaces: Sequence[str] = ("acme",)
) -> Iterator[World]:
    """A home at ``folder`` bound to a registry that is served; nothing was fetched yet."""
    with served(registry or a_registry()) as running:
        home = Home.at(folder)
        Registries(home).add(
            Binding(
                origin=running.registry.origin,
                log_key=running.registry.vkey,
                urls=(running.url,),
                namespaces=tuple(namespaces),
                minimum_age=0,
            )
        )
        yield World(running, home, running.registry.at + 60)
