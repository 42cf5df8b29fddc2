"""``polyphony test``: the cases in ``tests/*.yaml`` of a package (docs/melody.md, Tests).

Each case is a run of its own, in a home of its own that is gone afterwards: nodes that are pinned give their outputs,
all others are executed as always; the work folder is a copy; nothing comes from the cache; time is not waited for.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from polyphony_runner.conductor.paths import without_rounds
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import loaded
from polyphony_runner.files import read_document
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.packages import PackageSource
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.consent import agreed_to, remember
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.extension_cases import find_extension, write_melody
from polyphony_runner.runs.report import error_document
from polyphony_runner.runs.session import RuntimeFactory, begin
from polyphony_runner.runs.trial import SkippingClock
from polyphony_schemas.documents.reading import read_model
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.melody_cases import Expectation, TestCase
from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import read_document as read_yaml

_SUFFIXES = (".yaml", ".yml", ".json")
_CONSENTS = "consents.json"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case and its file, relative to the package."""

    file: str
    case: TestCase


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that is not as expected: ``what`` names it (``status``, ``outputs.text``, ``nodes.a``, ``never.b``)."""

    what: str
    expected: JsonValue
    got: JsonValue


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case came out; ``error`` of the run, or of what kept it from beginning."""

    file: str
    name: str
    seconds: float
    status: str | None
    mismatches: tuple[Mismatch, ...] = ()
    error: Mapping[str, JsonValue] | None = field(default=None)

    @property
    def ok(self) -> bool:
        """Whether everything is as expected."""
        return self.status is not None and not self.mismatches

    def to_json(self) -> dict[str, JsonValue]:
        """The entry of ``test --json``."""
        failures: list[JsonValue] = [
            {"what": one.what, "expected": one.expected, "got": one.got} for one in self.mismatches
        ]
        return {
            "file": self.file,
            "name": self.name,
            "ok": self.ok,
            "seconds": self.seconds,
            "status": self.status,
            "failures": failures,
            "error": None if self.error is None else dict(self.error),
        }


def read_cases(folder: Path) -> list[CaseFile]:
    """The cases of a package in the order of their files' names; RunError PLY2756 for one that cannot be read."""
    found = []
    tests = folder / "tests"
    for path in sorted(tests.iterdir()) if tests.is_dir() else ():
        if path.suffix not in _SUFFIXES or not path.is_file() or path.is_symlink():
            continue
        file = path.relative_to(folder).as_posix()
        document = read_yaml(read_document(path, follow=False), file)
        case, problems = read_model(document, TestCase, "PLY14")
        wrong = [*document.problems, *problems]
        if case is None or wrong:
            place = f"{file}:{wrong[0].line}:{wrong[0].column}: {wrong[0].message}" if wrong else file
            raise RunError(
                "PLY2756", f"a case cannot be read: {place}", hint="polyphony validate lists every problem"
            )
        found.append(CaseFile(file, case))
    return found


@dataclass(frozen=True, slots=True)
class CaseRunner:
    """What all cases of a package share: ``request`` says which melody, and what was agreed to."""

    request: RunRequest
    folder: Path
    home: Home
    runtime: RuntimeFactory
    installed: PackageSource | None = None

    def run_all(self) -> Iterator[CaseResult]:
        """Run every case; PLY2412 when nobody agreed to what the melody asks for."""
        for one in read_cases(self.folder):
            began = time.monotonic()
            try:
                result = self.run(one)
            except PolyphonyError as error:
                if error.code == "PLY2412":  # agreeing is the caller's affair, for all cases at once
                    raise
                told: dict[str, JsonValue] = {"kind": error.code, "message": error.message, "trace": None}
                result = CaseResult(one.file, one.case.name, 0.0, None, (), told)
            yield replace(result, seconds=round(time.monotonic() - began, 3))

    def run(self, one: CaseFile) -> CaseResult:
        """Run one case."""
        case = one.case
        with tempfile.TemporaryDirectory(prefix="polyphony-test-") as text:
            scratch = Path(text)
            own = Home.at(scratch / "home")
            consents = self.home.runs / _CONSENTS
            melody, work = self.request.melody, scratch / "work"
            if (extension := find_extension(self.folder)) is not None:
                melody = scratch / "melody"
                write_melody(extension, case, melody)
                work = melody / "work"  # reading in it is reading the melody's own folder
                _copy_consents(consents, self.folder, own.runs / _CONSENTS, melody)
            else:
                _copy_file(consents, own.runs / _CONSENTS)
            inputs = scratch / "inputs.json"
            inputs.write_text(json.dumps(dict(case.inputs)))
            pins: dict[str, JsonValue] = {path: dict(pin.outputs) for path, pin in case.pins.items()}
            asked = replace(
                self.request,
                melody=melody,
                inputs=(),
                inputs_file=inputs,
                work=_work(case, self.folder, work),
                cache=False,
                pins=pins,
            )
            assembled = assemble(asked, own, self.installed)
            if extension is not None:
                _copy_consents(own.runs / _CONSENTS, melody, consents, self.folder)
            else:
                _copy_file(own.runs / _CONSENTS, consents)
            clock = SkippingClock(stop_waiting=case.expect.status == "waiting")
            with begin(assembled, own) as session:
                asyncio.run(session.conduct(self.runtime, lambda _event, _state: None, clock=clock))
                state = session.state
                started = {
                    event.node or ""
                    for event in read_journal(session.folder.journal)
                    if event.type == "node.started"
                }
                mismatches = tuple(compare(case.expect, state, started))
            return CaseResult(one.file, case.name, 0.0, state.status, mismatches, error_document(state.error))


def compare(expect: Expectation, state: RunState, started: set[str]) -> Iterator[Mismatch]:
    """Everything about a run that is not as expected. ``started`` are the paths of nodes that were."""
    if state.status != expect.status:
        yield Mismatch("status", expect.status, state.status)
    outputs = loaded(state.outputs, state.reader)
    for name, wanted in expect.outputs.items():
        if name not in outputs or not _same(outputs[name], wanted):
            yield Mismatch(f"outputs.{name}", wanted, outputs.get(name))
    for path, status in expect.nodes.items():
        node = state.nodes.get(path)
        if node is None or node.status != status:
            yield Mismatch(f"nodes.{path}", status, None if node is None else node.status)
    for path in expect.never:
        if any(path in (one, without_rounds(one)) for one in started):
            yield Mismatch(f"never.{path}", "not started", "started")


def _same(got: JsonValue, wanted: JsonValue) -> bool:
    """Equal as JSON: 2 and 2.0 are, true and 1 are not."""
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    if isinstance(got, Mapping) and isinstance(wanted, Mapping):
        return got.keys() == wanted.keys() and all(_same(got[key], wanted[key]) for key in got)
    if isinstance(got, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return len(got) == len(wanted) and all(map(_same, got, wanted))
    return got == wanted


def _work(case: TestCase, folder: Path, work: Path) -> Path:
    """A copy of the case's work folder, which may lie anywhere in the package; an empty one without."""
    if case.work is None:
        work.mkdir()
        return work
    source = (folder / case.work).resolve()
    if not source.is_relative_to(folder.resolve()) or not source.is_dir():
        raise RunError(
            "PLY2756",
            f"the work folder {case.work!r} is no folder of the package",
            hint="name one, such as tests/work",
        )
    shutil.copytree(source, work, symlinks=True)
    return work


def _copy_consents(source: Path, folder: Path, target: Path, other: Path) -> None:
    """What was agreed to for one folder, kept for another."""
    for wanted in agreed_to(source, folder):
        remember(target, other, wanted)


def _copy_file(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
