"""Which level of isolation this machine gives, found by running the real thing once.

The probe runs with the very argv, filter and limits that a node gets, and asserts from inside. Versions and sysctls
only choose the words of the message. Tried in order: bubblewrap (``full``, as root ``full-privileged``), ``landlock``,
``wasm``; the answer ``full`` is kept per boot, bubblewrap, user and sysctls. There is no silent downgrade: a lower level
says why it is not a higher one, and what it cannot give a node refuses that node.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from polyphony_runner.sandbox import fixes, machine
from polyphony_runner.sandbox.cgroup import own_layout
from polyphony_runner.sandbox.errors import UNAVAILABLE, SandboxUnavailableError
from polyphony_runner.sandbox.interpreter import interpreter_mounts
from polyphony_runner.sandbox.spec import Exit, Level, Limits, Mount, SandboxSpec

PROBE = Path(__file__).with_name("probe.py")
PROBE_LANDLOCK = Path(__file__).with_name("probe_landlock.py")
SHOWN = "/shown"
KEPT = ("full", "full-privileged")
PROBE_LIMITS = Limits(wall=20.0, disk=None)


@dataclass(frozen=True, slots=True)
class LevelReport:
    """The level that works (None: refused), the checks, and for what fails its cause and fix.

    A level below ``full`` comes with the reasons why it is not a higher one.
    """

    level: Level | None
    checks: tuple[tuple[str, bool], ...]
    reasons: tuple[str, ...]
    fixes: tuple[str, ...]
    said: str = ""

    def require(self) -> Level:
        """The level, or PLY3001 with the fix."""
        if self.level is None:
            raise SandboxUnavailableError(
                UNAVAILABLE,
                f"this machine cannot isolate a node: {'; '.join(self.reasons)}",
                hint=" · ".join(self.fixes) or "polyphony doctor",
                details={"reasons": list(self.reasons)},
            )
        return self.level


_kept: dict[str, LevelReport] = {}
_lock = threading.Lock()


def current_level(state: Path | None = None) -> Level:
    """The level of this machine; PLY3001 when there is none. The first call takes a tenth of a second."""
    return decide_level(state).require()


def kept_level() -> Level | None:
    """The level that this process has found already."""
    report = _kept.get("")
    return report.level if report is not None else None


def decide_level(state: Path | None = None, *, fresh: bool = False) -> LevelReport:
    """The report, from memory, the cache below ``state``, or a new try (``fresh`` forces it)."""
    facts = machine.look() if fresh or "" not in _kept else None
    with _lock:
        if facts is None:
            return _kept[""]
        cache = state / "cache" / "sandbox.json" if state else None
        report = None if fresh else _load(cache, facts.key())
        if report is None:
            report = _try(facts)
            _save(cache, facts.key(), report)
        if report.level:
            _kept[""] = report
        return report


def _load(cache: Path | None, key: str) -> LevelReport | None:
    """Only the best there is is kept: what is missing may be mended at any time."""
    if cache is None:
        return None
    try:
        document = json.loads(cache.read_text())
        if document["key"] != key or document["level"] not in KEPT:
            return None
        return LevelReport(document["level"], tuple((name, True) for name in document["checks"]), (), ())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _save(cache: Path | None, key: str, report: LevelReport) -> None:
    if cache is None or report.level not in KEPT:
        return
    cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = cache.with_suffix(f".{threading.get_ident()}.tmp")
    fresh.write_text(
        json.dumps({"key": key, "level": report.level, "checks": [name for name, _ in report.checks]})
    )
    fresh.replace(cache)


def _try(facts: machine.Machine) -> LevelReport:
    """The highest level that works; for a lower one the report says why not a higher one."""
    higher = _try_full(facts)
    if higher.level or higher.checks:  # made, but not tight: nothing else here deserves trust either
        return higher
    lower = _try_landlock(facts)
    if lower.level is None and not lower.checks and facts.supervises and wasm_engine():
        lower = LevelReport("wasm", (), (), ())
    return replace(
        lower,
        reasons=(*higher.reasons, *lower.reasons),
        fixes=tuple(dict.fromkeys((*higher.fixes, *lower.fixes))),
        said=higher.said + lower.said,
    )


def _try_full(facts: machine.Machine) -> LevelReport:
    if problem := fixes.before_trying(facts):
        return LevelReport(None, (), (problem.cause,), (problem.fix,))
    level: Level = "full"
    if facts.uid == 0:
        level = "full-privileged"
        if missing := facts.missing_capabilities():
            return LevelReport(
                None, (), (f"root lacks the capabilities {' '.join(missing)}",), (fixes.container_fix(facts),)
            )
    ended = _probed(level)
    if ended.kind:
        fix = fixes.after_trying(facts, ended.stderr + ended.message)
        return LevelReport(None, (), (fix.cause, ended.message), (fix.fix,), ended.stderr)
    return _judged(level, ended)


def _try_landlock(facts: machine.Machine) -> LevelReport:
    if problem := fixes.before_landlock(facts):
        return LevelReport(None, (), (problem.cause,), (problem.fix,) if problem.fix else ())
    ended = _probed("landlock")
    if ended.kind:
        return LevelReport(None, (), (f"level landlock: {ended.message}",), (), ended.stderr)
    return _judged("landlock", ended)


def _probed(level: Level) -> Exit:
    with ThreadPoolExecutor(max_workers=1) as thread:  # the caller's thread may have an event loop of its own
        return thread.submit(lambda: asyncio.run(_probe(level))).result()


def _judged(level: Level, ended: Exit) -> LevelReport:
    checks = tuple(json.loads(ended.stdout).items())
    failed = tuple(
        f"the sandbox is not tight: a program there not {name}" for name, held in checks if not held
    )
    if failed:
        return LevelReport(None, checks, failed, ("report this machine's kernel and bubblewrap version",))
    return LevelReport(level, checks, (), ())


def wasm_engine() -> bool:
    """Whether WebAssembly can be run here: without any isolation by the kernel, its own is left."""
    return importlib.util.find_spec("wasmtime") is not None


async def _probe(level: Level) -> Exit:
    """Run the probe with a folder of the host to see, and a file of it that must stay invisible."""
    from polyphony_runner.sandbox.run import run_sandboxed

    python = Path(sys.executable)
    # it is named as it was called, ``../.venv/bin/python`` too
    python = python.parent.resolve() / python.name
    probe = PROBE_LANDLOCK if level == "landlock" else PROBE
    with tempfile.TemporaryDirectory(prefix="polyphony-probe-") as folder:
        shown = Path(folder, "shown").resolve()
        shown.mkdir(mode=0o755)
        (shown / "file").touch()
        secret = Path(folder, "host-file")
        secret.write_text("of the host")
        work = Path(folder, "ws")
        work.mkdir(mode=0o700)
        spec = SandboxSpec(
            # after a sign, so that it is no place inside but the host's own path
            argv=(str(python), "-I", "-S", "/probe.py", f"@{secret}", SHOWN),
            work=work,
            mounts=(*interpreter_mounts(python), Mount(shown, SHOWN)),
            files={"/probe.py": probe.read_bytes()},
            limits=PROBE_LIMITS,
        )
        return await run_sandboxed(spec, level=level)


def control_groups() -> str:
    """One word for how memory and processes are bounded."""
    layout = own_layout()
    if layout.folder is None:
        return "none"
    return f"version {layout.version}"
