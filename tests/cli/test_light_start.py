"""Starting is light: what a command does not need is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import polyphony_schemas
from polyphony_cli.main import VERSION
from polyphony_schemas.trust.tree import Entry
from support.install_world import SIGNER, a_registry, using, world

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
summary: A step
license: Apache-2.0
outputs: {value: {schema: {type: integer}}}
run: {python: "node:main", warm: true}
"""
NODE = b"def main(inputs, parameters, task, context):\n    return {'value': 1}\n"
HEAVY = {
    "alembic", "cel", "dulwich", "flask", "granian", "http.client", "jsonschema", "keyring", "pydantic",
    "pydantic_core", "referencing", "rich", "ruamel", "sigstore", "sqlalchemy", "urllib.request", "whoosh", "yaml",
}  # fmt: skip
CALL = """\
import json, sys
before = set(sys.modules)
from polyphony_cli.main import main
status = main()
print(json.dumps({"status": status, "modules": sorted(set(sys.modules) - before)}))
"""


def imported(*words: str, tmp_path: Path) -> set[str]:
    """The modules that a call of ``polyphony`` imported, which ended well."""
    done = subprocess.run(
        [sys.executable, "-c", CALL, *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == 0, done.stdout + done.stderr
    return set(told["modules"])


def test_the_version_is_said_without_importing_anything_of_ours(tmp_path: Path) -> None:
    found = imported("--version", tmp_path=tmp_path)
    assert {name for name in found if name.startswith(("polyphony", "click"))} == {
        "polyphony_cli",
        "polyphony_cli.main",
    }


def test_an_installed_melody_runs_without_the_document_models(tmp_path: Path) -> None:
    registry = a_registry()
    for name in ("acme/step", "acme/one"):
        registry.claim(name)
    step = {"extension.yaml": Entry("100644", EXTENSION.encode()), "node.py": Entry("100644", NODE)}
    registry.publish("acme/step", "1.0.0", step, SIGNER)
    registry.publish("acme/one", "1.0.0", using("one", "1.0.0", "acme/step@^1"), SIGNER)
    with world(tmp_path / "home", registry) as here:
        here.install("acme/one")
    found = imported("--home", str(tmp_path / "home"), "run", "acme/one", tmp_path=tmp_path)
    assert "polyphony_runner.runtimes.sandboxed" in found
    assert not found & HEAVY


def test_the_versions_that_are_said_are_those_of_the_packages() -> None:
    assert (version("polyphony-schemas"), version("polyphony-cli")) == (polyphony_schemas.VERSION, VERSION)
