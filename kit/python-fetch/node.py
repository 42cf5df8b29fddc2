"""Download the wheels that a project needs, and say what was asked for, fetched and left out.

Two folders, resolved apart because they are used apart: ``build`` for what builds the project, ``run`` for what it
needs to run and to be tested. What has no wheel is left out, so that the rest can still be worked with.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from downloads import LeftOut, fetch
from metadata import applies, name_of, needs_of

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

WHEELS = Path("/out/wheels")


class Inputs(TypedDict, total=False):
    """The project, and requirements that were learned elsewhere."""

    path: str
    also: list[str]


class Parameters(TypedDict):
    """Which extras and groups count, and what is wanted in any case."""

    extras: list[str]
    tools: list[str]


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the folder of wheels, the report, and remarks for people."""
    needs = needs_of(Path(inputs["path"]), parameters["extras"])
    build = usable(needs.build)
    run = usable([*needs.run, *inputs.get("also", []), *needs.test, *parameters["tools"]])
    odd = [
        LeftOut(text, "not a requirement by name")
        for text in [*needs.build, *needs.run, *needs.test]
        if name_of(text) is None
    ]
    context.log(f"to build: {', '.join(build) or 'nothing'}")
    context.log(f"to run and test: {', '.join(run) or 'nothing'}")
    left_out = [*odd, *fetch(build, WHEELS / "build", context), *fetch(run, WHEELS / "run", context)]
    fetched = sorted(place.name for place in WHEELS.rglob("*.whl"))
    context.progress(len(fetched), len(fetched), f"{len(fetched)} wheels")
    return {
        "report": {
            "requested": [*build, *run],
            "fetched": fetched,
            "left_out": [one._asdict() for one in left_out],
            "dynamic": needs.dynamic,
        },
        "remarks": [f"The requirement {one.requirement} was left out: {one.reason}" for one in left_out],
    }


def usable(requirements: list[str]) -> list[str]:
    """Each requirement by name that counts on this machine, once."""
    return [text for text in dict.fromkeys(requirements) if name_of(text) is not None and applies(text)]
