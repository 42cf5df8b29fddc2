"""Download wheels with pip, wheels alone: nothing that comes from the index or the project is executed here.

Build requirements, dependencies and test requirements are resolved together. What has no wheel is left out and
reported, so that the rest of the project can still be worked with.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from metadata import applies, name_of, needs_of

MISSING = re.compile(r"No matching distribution found for ([^\s(;]+)")
CONFLICT = re.compile(r"Cannot install|ResolutionImpossible")


def pip_download(requirements, folder):
    """Run pip once; returns (worked, what it said)."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-cache-dir",
    ]
    argv += ["--only-binary", ":all:", "--dest", str(folder), "--", *requirements]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr.strip()


def reason(said):
    """The line of pip's answer that says why."""
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else (said.splitlines() or ["pip gave no reason"])[-1]


def fetch(requirements, folder, context):
    """Download all that can be had; returns what was left out, each with its reason."""
    wanted, left_out = list(requirements), []
    while wanted:
        worked, said = pip_download(wanted, folder)
        if worked:
            return left_out
        found = MISSING.search(said)
        culprit = next((r for r in wanted if found and name_of(r) == name_of(found[1])), None)
        if culprit is None:
            return left_out + one_by_one(wanted, folder, context)
        context.log("warning", f"{culprit} has no wheel for this Python and is left out")
        left_out.append({"requirement": culprit, "reason": reason(said)})
        wanted.remove(culprit)
    return left_out


def one_by_one(requirements, folder, context):
    """The slow way, when pip does not name the one that fails: each for itself."""
    left_out = []
    for number, requirement in enumerate(requirements):
        context.progress(number, len(requirements), requirement)
        worked, said = pip_download([requirement], folder)
        if not worked:
            left_out.append({"requirement": requirement, "reason": reason(said)})
    if len(left_out) == len(requirements) and any(
        "Retry" in r["reason"] or "onnection" in r["reason"] for r in left_out
    ):
        context.fail(
            "network", f"the package index cannot be reached: {left_out[0]['reason']}", retryable=True
        )
    return left_out


def main(inputs, parameters, task, context):
    """Return the folder of wheels and a report of what was asked for, fetched and left out."""
    root, folder = Path(inputs["path"]), Path("/out/wheels")
    folder.mkdir(exist_ok=True)
    needs = needs_of(root, parameters["extras"])
    asked = list(
        dict.fromkeys([*needs.build, *needs.run, *needs.test, *inputs.get("also", []), *parameters["tools"]])
    )
    named = [r for r in asked if name_of(r) and applies(r)]
    left_out = [{"requirement": r, "reason": "not a requirement by name"} for r in asked if not name_of(r)]
    context.log("info", f"{len(named)} requirements: {', '.join(named)}")
    left_out += fetch(named, folder, context)
    fetched = sorted(place.name for place in folder.iterdir())
    context.progress(len(fetched), len(fetched), f"{len(fetched)} wheels")
    return {
        "report": {"requested": named, "fetched": fetched, "left_out": left_out, "dynamic": needs.dynamic}
    }
