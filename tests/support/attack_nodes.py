"""Runs attack programs as nodes, through the whole runtime, and looks at everything that a person or the next node would get."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from polyphony_runner.grants.secrets import SecretSource
from polyphony_runner.package_index import PackageIndex
from polyphony_runner.packages import PackageTable
from polyphony_runner.runtimes.protocol import Failure, Outcome, Success
from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
from polyphony_runner.sandbox.errors import SandboxUnavailableError
from polyphony_runner.sandbox.spec import Level
from polyphony_schemas.graph.model import Limits
from support.attack_boxes import BROKE_OUT, Verdict, open_row
from support.attack_programs import Attack
from support.attack_world import CANARY, plant, state_of
from support.runtimes_nodes import NO_INDEX, Bench

ANY: dict[str, Any] = {"schema": {}}
PATH: dict[str, Any] = {"schema": {"type": "string", "format": "path"}}
FILE: dict[str, Any] = {"schema": {"$ref": "urn:polyphony:file"}}
SECRET = "Tr0ub4dor&3/ö-hidden"
GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "": {},
    "secret": {"secrets": ("TOKEN",)},
    "read": {"read": ("shown",)},
    "write": {"write": ("tree",)},
}


def bench_at(place: Path, level: Level) -> Bench:
    """A runner's home with the canaries beside it."""
    place.mkdir(parents=True)
    plant(place)
    bench = Bench(place, secrets={"TOKEN": SECRET})
    (place / "shown").rename(bench.work / "shown")
    (bench.work / "tree").mkdir()
    bench.runtime = SandboxedRuntime(
        PackageTable(bench.packages),
        bench.artifacts,
        bench.home,
        secrets=SecretSource(None, bench.secrets),
        index=PackageIndex(NO_INDEX),
        level=level,
    )
    return bench


async def run_as_node(attack: Attack, level: Level, place: Path) -> Verdict:
    """One program as a node; a ``warm`` one is called twice."""
    bench = bench_at(place, level)
    before = state_of(place / "host") | state_of(bench.work)
    fields = {"grants": GRANTS[attack.grants], "limits": _limits(attack)}
    if attack.grants in ("read", "write"):
        fields["inputs"] = {"path": "shown" if attack.grants == "read" else "tree"}
    uses = _extension(bench, attack)
    try:
        if attack.way == "warm":
            return await _twice(bench, uses)
        outcome = await bench.run(uses, **fields)
    except SandboxUnavailableError as refused:
        return Verdict("refused", refused.code)
    finally:
        await bench.runtime.close()
    if _refused(outcome):
        return Verdict("refused", "PLY3800")
    if state_of(place / "host") | state_of(bench.work) != before:
        return open_row("something of the host has changed")
    return _judged(attack, bench, outcome)


def _limits(attack: Attack) -> Limits:
    cpu = attack.number("cpu", 0)
    return Limits(timeout_ms=60_000, cpu_ms=int(cpu * 1000) or None, memory=256 << 20)


def _extension(bench: Bench, attack: Attack) -> str:
    ports: dict[str, Any] = {"inputs": {"path": PATH}} if attack.grants in ("read", "write") else {}
    outputs = {"file": FILE} if "outputs" in attack.heads else {"out": ANY}
    if attack.way == "wasm":
        from wasmtime import wat2wasm

        return bench.extension(
            "node", {"node.wasm": bytes(wat2wasm(attack.source))}, run={"wasm": "node.wasm"}, outputs=outputs, **ports
        )  # fmt: skip
    if attack.way == "process":
        program = "#!/usr/bin/python3\n" + attack.source
        return bench.extension("node", {"bin/node": program}, run={"process": ["bin/node"]}, outputs=outputs)
    if attack.way == "warm":
        ports, outputs = {"inputs": {"turn": ANY}}, {"found": ANY}
        return bench.python(attack.source, run={"warm": True}, outputs=outputs, **ports)
    if attack.grants == "write":
        outputs = {}
    return bench.python(attack.source, outputs=outputs, **ports)


def _refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.details.get("code") == "PLY3800"


async def _twice(bench: Bench, uses: str) -> Verdict:
    first = await bench.run(uses, inputs={"turn": "first"}, limits=Limits(timeout_ms=20_000))
    second = await bench.run(uses, inputs={"turn": "second"}, limits=Limits(timeout_ms=20_000))
    if _refused(first):
        return Verdict("refused", "PLY3800")
    if not isinstance(second, Success):
        return open_row(f"the next call failed: {second}")
    if second.outputs != {"found": False}:
        return open_row("the next call found it")
    return Verdict(
        "stopped", "the next call is clean" if isinstance(first, Success) else f"error {first.kind}"
    )


def _judged(attack: Attack, bench: Bench, outcome: Outcome) -> Verdict:
    events = [(event.type, event.data) for event in bench.events]
    told = json.dumps([events, asdict(outcome)], ensure_ascii=False, default=str)
    kept = [path for path in bench.home.artifacts.rglob("*") if path.is_file()]
    shown = told + "".join(path.read_text(errors="replace") + path.name for path in kept)
    if BROKE_OUT in shown:
        return open_row("it says that it broke out")
    if CANARY in shown:
        return open_row("a file of the host is shown")
    if any(form in shown for form in _forms(SECRET)):
        return open_row("the secret is shown")
    if types := {kind for kind, _ in events} - {"log", "progress", "usage"}:
        return open_row(f"events of the runner: {types}")
    if len(events) > attack.number("lines", 1000):
        return open_row(f"{len(events)} events")
    kind = outcome.kind if isinstance(outcome, Failure) else "none"
    if kind not in attack.ends:
        return open_row(f"ended as {kind}: {outcome}")
    return Verdict("stopped", f"error {kind}" if kind != "none" else "nothing came of it")


def _forms(secret: str) -> list[str]:
    data = secret.encode()
    return [secret, secret[:-1], data.hex(), base64.b64encode(data).decode(), json.dumps(secret)[1:-1]]
