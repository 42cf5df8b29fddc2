"""The diff of a work tree. A folder that is no git work tree has no changes, which is said in the log."""

from __future__ import annotations

import subprocess

STATUS = {"A": "added", "M": "changed", "D": "removed", "R": "renamed"}
# the repository's own settings must not start a program (diff drivers, fsmonitor, pagers)
SAFE = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "diff.external=",
    "-c",
    "core.pager=cat",
    "-c",
    "core.hooksPath=/dev/null",
]


def git(path, *words):
    """Run git in ``path`` and return its completed process."""
    return subprocess.run(["git", *SAFE, "-C", path, *words], capture_output=True, check=False)


def counted(path, base):
    """``{path: (added, removed)}`` from numstat; binary files count as 0."""
    out = git(
        path, "diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", base, "--"
    ).stdout
    rows = (row.split("\t", 2) for row in out.decode("utf-8", "replace").split("\0") if row)
    return {name: (int(a) if a.isdigit() else 0, int(r) if r.isdigit() else 0) for a, r, name in rows}


def main(inputs, parameters, task, context):
    """Return the patch against ``base``, cut at a line when it is longer than ``max_bytes``."""
    path, base = inputs["path"], parameters["base"]
    if git(path, "rev-parse", "--is-inside-work-tree").returncode:
        context.log("info", "not a git work tree: no changes to show")
        return {"diff": "", "files": [], "base": ""}
    commit = git(path, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
    if commit.returncode:
        context.fail("configuration", f"base {base!r} is not a revision of this repository")
    base = commit.stdout.decode().strip()
    flags = [
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-renames",
        f"--unified={parameters['context_lines']}",
    ]
    done = git(path, "diff", *flags, base, "--")
    if done.returncode:
        context.fail(
            "exit",
            f"git diff ended with status {done.returncode}: {done.stderr.decode(errors='replace').strip()}",
        )
    text = done.stdout.decode("utf-8", "replace")
    if len(text) > parameters["max_bytes"]:
        text = text[: parameters["max_bytes"]].rsplit("\n", 1)[0] + "\n[the rest of this diff was left out]\n"
    names = (
        git(path, "diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", base, "--")
        .stdout.decode("utf-8", "replace")
        .split("\0")
    )
    lines = counted(path, base)
    files = [
        {
            "path": name,
            "status": STATUS.get(status[:1], "other"),
            "added": lines.get(name, (0, 0))[0],
            "removed": lines.get(name, (0, 0))[1],
        }
        for status, name in zip(names[::2], names[1::2], strict=False)
    ]
    return {"diff": text, "files": files, "base": base}
