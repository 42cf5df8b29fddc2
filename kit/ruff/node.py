"""ruff over a folder. Places in the result are relative to that folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, unquote, urlparse

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

ARGV = ("ruff", "check", "--no-cache", "--exit-zero", "--no-fix", "--output-format", "sarif")
LOGGED = 50  # lines


class Inputs(TypedDict):
    """``path`` is the folder to lint."""

    path: str


class Parameters(TypedDict, total=False):
    """Rules in place of the project's own."""

    select: list[str]
    ignore: list[str]
    target_version: str


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the SARIF log, the number of findings and remarks. Findings are no failure.

    Settings that this ruff cannot use (another version required, rules that are gone) are left out, with a remark.
    """
    root = Path(inputs["path"])
    words = options(parameters)
    remarks = []
    done = ruff(root, words)
    if done.returncode:
        remarks.append(
            f"The project's own ruff settings cannot be used, ruff's defaults were: {first_line(done)}"
        )
        context.log(remarks[0], "warning")
        done = ruff(root, ["--isolated", *words])
    for line in done.stderr.splitlines()[:LOGGED]:
        context.log(line, "warning")
    if done.returncode:
        context.fail("configuration", f"ruff ended with status {done.returncode}: {first_line(done)}")
    log = json.loads(done.stdout)
    results = [result for run in log["runs"] for result in run.get("results") or []]
    for result in results:
        place_below(result, root)
    return {"findings": log, "count": len(results), "remarks": remarks}


def options(parameters: Parameters) -> list[str]:
    """The parameters as words for ruff."""
    words = []
    if "select" in parameters:
        words += ["--select", ",".join(parameters["select"])]
    if parameters.get("ignore"):
        words += ["--extend-ignore", ",".join(parameters["ignore"])]
    if "target_version" in parameters:
        words += ["--target-version", parameters["target_version"]]
    return words


def ruff(root: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run ruff on the folder."""
    return subprocess.run([*ARGV, *words, "."], cwd=root, capture_output=True, text=True, check=False)


def first_line(done: subprocess.CompletedProcess[str]) -> str:
    """What ruff said, in one line."""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return " ".join(said)[:500] or "it said nothing"


def place_below(result: dict[str, Any], root: Path) -> None:
    """Make the places of a finding relative to the folder; drop the rule where there is none."""
    if result.get("ruleId") is None:
        result.pop("ruleId", None)
    for location in result.get("locations", []):
        artifact = location["physicalLocation"]["artifactLocation"]
        artifact["uri"] = relative(artifact["uri"], root)


def relative(uri: str, root: Path) -> str:
    """A ``file://`` address below ``root`` as a relative reference; anything else as it is."""
    place = Path(unquote(urlparse(uri).path)) if uri.startswith("file://") else Path(uri)
    try:
        return quote(place.relative_to(root).as_posix())
    except ValueError:
        return uri
