"""The whole melody, as a person runs it, on a project made for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.kit_packages import HOME, PACKAGES
from support.kit_wheels import ROOT, WheelIndex
from support.scripted_model import Say, scripted_model

MELODY = ROOT / "melodies/full-stack-review"
POLYPHONY = Path(sys.executable).parent / "polyphony"
PYPROJECT = (
    '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
    '[project]\nname = "demo"\nversion = "1.0"\ndescription = "x"\n'
)
TESTS = "import demo\n\n\ndef test_two():\n    assert demo.TWO == 2\n"
REVIEW = {"summary": "Fine", "verdict": "approve", "remarks": []}


def review(project: Path, index: WheelIndex, *words: str) -> dict[str, Any]:
    """Run the melody with the kit of this tree; its document."""
    overrides = [
        word for name in PACKAGES for word in ("--override", f"polyphony/{name}={ROOT / 'kit' / name}")
    ]
    command = [str(POLYPHONY), "--json", "run", str(MELODY), *overrides, "--input", f"path={project}", *words]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment = plain | {
        "POLYPHONY_HOME": str(HOME),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": index.url,
        "PIP_INDEX_URL": index.url,
    }

    def run(*further: str) -> dict[str, Any]:
        done = subprocess.run(
            [*command, *further],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    document = run()
    if "error" in document and "run" not in document:
        document = run("--accept-permissions", document["error"]["details"]["digest"])
    shutil.rmtree(HOME / "runs" / document["run"])
    return document


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {path: node["status"] for path, node in document["nodes"].items()}


def write(project: Path, tests: str) -> None:
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "demo.py").write_text('"""Two."""\n\nTWO = 2\n')
    (project / "test_demo.py").write_text(tests)


def test_a_clean_project_is_tested_reviewed_and_deployed(project: Path, wheel_index: WheelIndex) -> None:
    write(project, TESTS)
    with scripted_model(Say(json.dumps(REVIEW))) as model:
        words = ("model=scripted", f"endpoint={model.url}", "deploy=true", 'deploy_command=["ls", "demo.py"]')
        document = review(project, wheel_index, *(part for word in words for part in ("--input", word)))
    assert document["status"] == "succeeded", document
    assert document["outputs"]["review"] == REVIEW
    assert document["outputs"]["summary"] == "1 test passed, no findings, no remarks by the reviewer"
    found = statuses(document)
    assert (found["sources"], found["review"], found["deploy"]) == ("succeeded",) * 3
    assert (found["ask"], found["fetch_rest"]) == ("skipped", "dead")
    assert document["usage"]["output_tokens"] == 7
    assert "test_two" in str(model.requests[0]["messages"])


def test_a_failing_test_is_reported_and_nothing_is_deployed(project: Path, wheel_index: WheelIndex) -> None:
    write(project, TESTS.replace("== 2", "== 3"))
    document = review(project, wheel_index, "--input", "deploy=true", "--input", 'deploy_command=["true"]')
    assert document["status"] == "succeeded", document
    assert document["outputs"]["passed"] is False
    assert document["outputs"]["summary"] == "1 of 1 test failed, no findings"
    found = statuses(document)
    assert (found["review"], found["deploy"]) == ("skipped", "skipped")
