"""Build a project with its own backend, offline, on a private copy of its files.

The result is one folder that goes on ``PYTHONPATH``: the project and everything it needs, side by side. The backend
and the project's build script run here, which is why this node has no network and sees a copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from offline import Wheel, build_wheel, install, newest, requirements_of

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
LOG_LINES, LOG_KEPT = 40, 8000


class Folder(TypedDict):
    """A directory artifact, as a node sees it."""

    path: str


class Inputs(TypedDict):
    """The project, and wheels in the folders ``build`` and ``run`` (or all in one)."""

    path: str
    wheels: Folder


class Parameters(TypedDict):
    """``only_metadata``: ask the backend for the dependencies and install nothing."""

    only_metadata: bool


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the environment folder, the project's dependencies, what was built, and remarks for people."""
    project, wheels = Path(inputs["path"]), Path(inputs["wheels"]["path"])
    wheel, log = built(project, part(wheels, "build"))
    for line in log.splitlines()[-LOG_LINES:]:
        context.log(line)
    remarks = []
    if wheel is None:
        why = said_last(log)
        remarks.append(f"The project was not built, its sources are used as they are: {why}")
        context.log(remarks[0], "warning")
    installed: list[str] = []
    if not parameters["only_metadata"]:
        target = Path("/out/environment")
        target.mkdir()
        chosen = newest(part(wheels, "run"), wheel)
        done = install([one.path for one in chosen], target)
        if done.returncode:
            context.fail("dependency", f"the environment cannot be made: {said_last(done.stdout)}")
        installed = [f"{one.name} {one.version}" for one in chosen]
    report = {"built": wheel is not None, "installed": installed, "log": log[-LOG_KEPT:]}
    needed = requirements_of(wheel.path) if wheel else []
    return {"requirements": needed, "report": report, "remarks": remarks}


def built(project: Path, wheels: Path) -> tuple[Wheel | None, str]:
    """The project's own wheel, None when there is nothing to build or it cannot be built, and the log."""
    if not any((project / name).exists() for name in BUILD_FILES):
        return None, "it has no build file"
    return build_wheel(project, wheels, Path("built").absolute())


def part(wheels: Path, name: str) -> Path:
    """One of the two folders, or the whole when there are no parts."""
    return wheels / name if (wheels / name).is_dir() else wheels


def said_last(log: str) -> str:
    """The line of a log that says most: the last error, else the last line."""
    said = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in said if "rror" in line]
    return (errors or said or ["nothing was said"])[-1][:500]
