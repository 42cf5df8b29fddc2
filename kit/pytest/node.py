"""Run pytest on a copy of the project, with the environment that was built for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from xml.etree.ElementTree import ParseError

from junit import broken_report, report_of

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

KEPT, LOGGED = 12_000, 60  # characters of the log that are an output, lines that go to the run's log
USAGE, NO_TESTS = 4, 5
PYTEST = ("python", "-m", "pytest", "-q", "--color=no", "--continue-on-collection-errors")
XML = Path("junit.xml")


class Folder(TypedDict):
    """A directory artifact, as a node sees it."""

    path: str


class _Project(TypedDict):
    path: str


class Inputs(_Project, total=False):
    """The project, and the folder with everything it needs."""

    environment: Folder


class _Bounds(TypedDict):
    args: list[str]
    max_cases: int


class Parameters(_Bounds, total=False):
    """Further words for pytest, a choice of tests, and how many cases the report shows."""

    keyword: str


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the results. Failing tests are results, not failures of this node."""
    words = list(parameters["args"])
    if "keyword" in parameters:
        words += ["-k", parameters["keyword"]]
    remarks = []
    done = pytest(inputs, words)
    if done.returncode == USAGE and "unrecognized arguments" in done.stdout:
        remarks.append(
            "The project's addopts name plugins that are not there; its tests ran without addopts."
        )
        context.log(remarks[0], "warning")
        done = pytest(inputs, ["-o", "addopts=", *words])
    for line in done.stdout.splitlines()[-LOGGED:]:
        context.log(line)
    report = read_report(done, parameters["max_cases"])
    if done.returncode == NO_TESTS:
        remarks.append("No tests were found.")
    failed = f"{report['failures']} failed, {report['errors']} broke"
    context.progress(1, 1, f"{report['tests']} tests, {failed}")
    if XML.exists():
        context.artifact("junit", XML, "application/xml")
    return {"report": report, "log": done.stdout[-KEPT:], "remarks": remarks}


def pytest(inputs: Inputs, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run pytest; both streams are in ``stdout``."""
    own = ["-o", "cache_dir=/tmp/pytest-cache", "-o", "junit_family=xunit1", f"--junitxml={XML.absolute()}"]
    return subprocess.run(
        [*PYTEST, *own, *words],
        cwd=inputs["path"],
        env=environment(inputs.get("environment")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def environment(folder: Folder | None) -> dict[str, str]:
    """The variables of the tests: what the project needs comes before what this node needs."""
    if folder is None:
        return dict(os.environ)
    path = folder["path"]
    return {**os.environ, "PYTHONPATH": path, "PATH": f"{path}/bin:{os.environ['PATH']}"}


def read_report(done: subprocess.CompletedProcess[str], limit: int) -> dict[str, object]:
    """The report pytest left. Where it could not start or broke down, one case that says so."""
    try:
        if done.returncode != USAGE:
            return report_of(XML.read_bytes(), limit)
    except (OSError, ParseError):
        pass
    XML.unlink(missing_ok=True)
    return broken_report(f"pytest ended with status {done.returncode}", done.stdout.strip())
