"""What this machine can isolate, and for what is missing the fix: the report of ``polyphony doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.sandbox import machine
from polyphony_runner.sandbox.cgroup import own_layout
from polyphony_runner.sandbox.direct import repair
from polyphony_runner.sandbox.preflight import LevelReport, decide_level
from polyphony_runner.sandbox.spec import Level

MEANING: dict[Level | None, str] = {
    "landlock": ": nodes without network and secrets run, others are refused",
    "wasm": ": WebAssembly nodes without network and secrets run, others are refused",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Level and checks, with the facts of the machine they were found on."""

    report: LevelReport
    machine: machine.Machine
    memory: str
    repaired: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The document of ``doctor --json``."""
        facts = self.machine
        return {
            "ok": self.report.level is not None,
            "sandbox": {
                "level": self.report.level,
                "checks": [{"check": name, "ok": held} for name, held in self.report.checks],
                "missing": list(self.report.reasons),
                "fixes": list(self.report.fixes),
                "said": self.report.said,
                "memory": self.memory,
            },
            "machine": {
                "system": facts.system,
                "kernel": facts.kernel,
                "architecture": facts.architecture,
                "uid": facts.uid,
                "bubblewrap": ".".join(map(str, facts.bwrap_version)) or None,
                "landlock": facts.landlock or None,
                "container": facts.container or None,
                "sysctls": {name: value for name, value in facts.sysctls if value},
            },
            "repaired": list(self.repaired),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        facts = self.machine
        version = ".".join(map(str, facts.bwrap_version)) or "missing"
        lines = [
            f"sandbox: {self.report.level or 'none: nodes are refused'}{MEANING.get(self.report.level, '')}"
        ]
        lines += [f"  {'ok ' if held else 'NOT'} a program there {name}" for name, held in self.report.checks]
        lines += [f"  missing: {reason}" for reason in self.report.reasons]
        lines += [f"  fix: {fix}" for fix in self.report.fixes]
        lines += [
            f"memory: {self.memory}",
            f"machine: {facts.system} {facts.kernel} {facts.architecture}, uid {facts.uid}, bubblewrap {version}, "
            f"Landlock {facts.landlock or 'missing'}"
            + (f", in {facts.container}" if facts.container else ""),
        ]
        return [*lines, *(f"repaired: the owner of {path}" for path in self.repaired)]


def diagnose(state: Path | None) -> Diagnosis:
    """Look now (nothing kept is used), and put right what a killed runner left behind."""
    facts = machine.look()
    repaired = repair(state) if facts.uid == 0 else []
    layout = own_layout()
    memory = (
        f"bounded by the kernel (control groups version {layout.version})"
        if layout.folder is not None
        else "sampled every 250 ms (no control group may be made here)"
    )
    return Diagnosis(decide_level(state, fresh=True), facts, memory, tuple(map(str, repaired)))
