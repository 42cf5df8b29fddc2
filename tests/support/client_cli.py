"""Two people at the command line: one who publishes to a real registry, one who installs from it."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyphony_cli.app import run
from support.registry_running import EXTENSION, Running, git, new_registry, running_registry

# Tokens of tests never reach a keyring of the machine.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

MELODY = """\
melody: v1
name: {name}
version: {version}
summary: Says something loudly
license: MIT
nodes:
  say: {{uses: acme/loud@^1, with: {{text: hello}}}}
"""


@dataclass(frozen=True)
class Said:
    """What one call answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found


def polyphony(home: Path, *words: str, stdin: str = "") -> Said:
    """Call ``polyphony --json`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = run(["--json", "--home", str(home), *words])
    finally:
        sys.stdin = before
    return Said(status, out.getvalue(), err.getvalue())


@dataclass
class Scene:
    """A served registry with ``acme/loud`` and ``acme/greet`` (which uses it), published by ``author``."""

    running: Running
    folder: Path

    @property
    def author(self) -> Path:
        return self.folder / "author"

    def published(self, path: str) -> Path:
        """A file that the registry serves."""
        return self.running.settings.data / "published" / path

    def work_tree(self, name: str, version: str = "1.0.0", *, melody: bool = False) -> Path:
        """A committed work tree of a package."""
        tree = self.folder / "work" / f"{name}-{version}"
        tree.mkdir(parents=True)
        git(tree, "init", "--quiet", "--initial-branch=main")
        if melody:
            (tree / "melody.yaml").write_text(MELODY.format(name=name, version=version))
        else:
            text = EXTENSION.format(name=name, version=version, summary=f"Says {name} loudly")
            (tree / "extension.yaml").write_text(text)
            (tree / "node.py").write_text("def main(inputs, parameters, task, context):\n    return {}\n")
        (tree / "README.md").write_text(f"# {name}\n")
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "--message", "Begin")
        return tree

    def publish(self, tree: Path, *words: str) -> Said:
        return polyphony(self.author, "publish", str(tree), *words)

    def reader(self, folder: Path) -> Path:
        """A new home that is bound to the registry, versions of any age taken."""
        added = polyphony(
            folder,
            "registry",
            "add",
            self.running.url,
            "--log-key",
            self.running.owner.log_key,
            "--namespace",
            "acme",
            "--minimum-age",
            "0",
        )
        assert added.status == 0, added.out
        return folder


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    settings, owner = new_registry(folder / "data", "acme", workers=1, threads=4)
    with running_registry(settings, owner) as running:
        made = Scene(running, folder)
        assert polyphony(made.author, "key", "new", "mine").status == 0
        logged = polyphony(made.author, "login", running.url, "--token-stdin", stdin=owner.token + "\n")
        assert logged.status == 0, logged.out
        assert made.publish(made.work_tree("loud"), "--enrol").status == 0
        assert made.publish(made.work_tree("greet", melody=True)).status == 0
        yield made
