"""ruff over a folder. Places in the result are relative to that folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote, urlparse


def relative(uri, root):
    """A ``file://`` address below ``root`` as a relative reference; anything else as it is."""
    place = Path(unquote(urlparse(uri).path)) if uri.startswith("file://") else Path(uri)
    try:
        return quote(place.relative_to(root).as_posix())
    except ValueError:
        return uri


def main(inputs, parameters, task, context):
    """Return the SARIF log and the number of findings. Findings are no failure."""
    root = Path(inputs["path"])
    argv = ["ruff", "check", "--no-cache", "--exit-zero", "--no-fix", "--output-format", "sarif"]
    if "select" in parameters:
        argv += ["--select", ",".join(parameters["select"])]
    if parameters["ignore"]:
        argv += ["--extend-ignore", ",".join(parameters["ignore"])]
    if "target_version" in parameters:
        argv += ["--target-version", parameters["target_version"]]
    done = subprocess.run([*argv, "."], cwd=root, capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines()[:50]:
        context.log("warning", line)
    if done.returncode:
        context.fail(
            "configuration", f"ruff ended with status {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    log = json.loads(done.stdout)
    results = [result for run in log["runs"] for result in run.get("results", [])]
    for result in results:
        for location in result.get("locations", []):
            artifact = location["physicalLocation"]["artifactLocation"]
            artifact["uri"] = relative(artifact["uri"], root)
    return {"findings": log, "count": len(results)}
