"""The diff of a work tree. A folder that is no git work tree has no changes, which is said in the log.

New files that git would add are part of the diff: an index in the node's own folder takes note of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

STATUS = {"A": "added", "M": "changed", "D": "removed", "T": "changed"}
# The tree belongs to somebody else inside, and the repository's own settings should not start programs.
SETTINGS = ("safe.directory=*", "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false")
PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")


class Inputs(TypedDict):
    """``path`` is the root of a work tree."""

    path: str


class Parameters(TypedDict):
    """What is compared with, and how much is shown."""

    base: str
    untracked: bool
    context_lines: int
    max_bytes: int


class Git:
    """git on one work tree, with an index of its own."""

    def __init__(self, folder: str) -> None:
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        self._words = ["git", "--no-pager", *settings, "-C", folder]
        self._env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run git; whether it worked is for the caller to say."""
        return subprocess.run([*self._words, *words], env=self._env, capture_output=True, check=False)

    def text(self, *words: str) -> str:
        """What git prints, without the end of the line."""
        return self.run(*words).stdout.decode("utf-8", "replace").rstrip("\n")

    def note_new_files(self, own: Path) -> None:
        """Work on a copy of the index in which untracked files stand as new and empty; ``own`` is written to."""
        git_folder = Path(self.text("rev-parse", "--absolute-git-dir"))
        objects = self.text("rev-parse", "--path-format=absolute", "--git-path", "objects")
        (own / "objects").mkdir()
        if (git_folder / "index").is_file():
            # with its time: git looks at the content of a file that changed in the moment the index was written
            shutil.copy2(git_folder / "index", own / "index")
        self._env |= {
            "GIT_INDEX_FILE": str(own / "index"),
            "GIT_OBJECT_DIRECTORY": str(own / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        self.run("add", "--intent-to-add", "--", ".")


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the patch against ``base``, cut at a line when it is longer than ``max_bytes``."""
    git = Git(inputs["path"])
    if git.text("rev-parse", "--is-inside-work-tree") != "true":
        context.log("not a git work tree: no changes to show")
        return {"diff": "", "files": [], "base": ""}
    base = commit_of(git, parameters["base"], context)
    if parameters["untracked"]:
        git.note_new_files(Path.cwd())
    done = git.run("diff", *PLAIN, f"--unified={parameters['context_lines']}", base, "--")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        context.fail("exit", f"git diff ended with status {done.returncode}: {said}")
    return {"diff": cut(done.stdout, parameters["max_bytes"]), "files": changed(git, base), "base": base}


def commit_of(git: Git, base: str, context: Context) -> str:
    """The commit a revision names; the empty tree for ``HEAD`` of a repository without commits."""
    found = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    if base != "HEAD":
        context.fail("configuration", f"base {base!r} is no revision of this repository")
    return git.text("hash-object", "-t", "tree", os.devnull)


def cut(patch: bytes, limit: int) -> str:
    """The patch as text, at most ``limit`` bytes of it."""
    if len(patch) <= limit:
        return patch.decode("utf-8", "replace")
    kept = patch[:limit].rsplit(b"\n", 1)[0].decode("utf-8", "replace")
    return f"{kept}\n[the rest of this diff was left out]\n"


def changed(git: Git, base: str) -> list[dict[str, object]]:
    """Path, status and numbers of lines of every changed file; binary files count no lines."""
    words = git.text("diff", "--name-status", "-z", *PLAIN, base, "--").split("\0")
    rows = (
        row.split("\t", 2)
        for row in git.text("diff", "--numstat", "-z", *PLAIN, base, "--").split("\0")
        if row
    )
    lines = {path: (number(added), number(removed)) for added, removed, path in rows}
    return [
        {
            "path": path,
            "status": STATUS.get(status[:1], "other"),
            "added": lines.get(path, (0, 0))[0],
            "removed": lines.get(path, (0, 0))[1],
        }
        for status, path in zip(words[::2], words[1::2], strict=False)
    ]


def number(text: str) -> int:
    """A count of lines; ``-`` stands for a binary file."""
    return int(text) if text.isdigit() else 0
