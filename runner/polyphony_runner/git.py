"""The author's side of git: questions to the ``git`` binary, with the machine's configuration kept out where it lies.

A folder may come from anywhere with a ``.git`` in it, whose settings name programs that git would start by itself:
monitors, hooks, filters, helpers that fetch missing objects. None of them is started.

Object bytes come from ``cat-file --batch``, never from a checkout or ``git archive``: both change bytes
(line endings, filters, export attributes).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from polyphony_runner.errors import ClientError

TIMEOUT_S = 120
# Set inside hooks; they would make git look at another repository than the folder it runs in.
_REPOSITORY_VARIABLES = frozenset(
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "COMMON_DIR", "PREFIX", "NAMESPACE")
)

_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# The person's own filters (of the machine or the user) stay.
_FOLDERS_OWN = (b"local", b"worktree")


def git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    """Run git in ``folder`` and return its stdout; PLY6701 without git, PLY6702 when it fails."""
    try:
        done = subprocess.run(
            ["git", *_NO_PROGRAMS, *arguments],
            cwd=folder,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise no_git() from None
    except subprocess.TimeoutExpired:
        raise ClientError(
            "PLY6702",
            f"git {arguments[0]} did not end in {TIMEOUT_S} s",
            hint="try it by hand in that folder",
        ) from None
    if done.returncode:
        raise ClientError(
            "PLY6702",
            f"git {arguments[0]} failed in {folder}: {_last_line(done.stderr)}",
            hint="try it by hand in that folder",
            details={"status": done.returncode, "stderr": done.stderr.decode(errors="replace")[-4000:]},
        )
    return done.stdout


def work_tree_root(path: Path) -> Path | None:
    """The root of the git work tree around ``path``, or None outside of one."""
    if not any((folder / ".git").exists() for folder in (path.absolute(), *path.absolute().parents)):
        return None  # git would say the same and take some milliseconds
    try:
        found = git(path, "rev-parse", "--show-toplevel").decode().rstrip("\n")
    except ClientError as error:
        if error.code == "PLY6702":
            return None
        raise
    return Path(found) if found else None


def is_clean(root: Path) -> bool:
    """Whether the work tree has a commit and neither changes nor new files."""
    return changed_files(root) == []


def changed_files(root: Path) -> list[str] | None:
    """What the work tree holds beyond its commit, a new folder as one; None when it has no commit yet."""
    try:
        git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except ClientError:
        return None
    flags = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal", "--ignore-submodules=all")
    told = git(root, "status", *flags, environment=_no_filters(root)).split(b"\0")
    return [os.fsdecode(entry[3:]) for entry in told if entry]


def _no_filters(root: Path) -> dict[str, str]:
    """The variables that switch the folder's own filters off; git would start them to compare files."""
    try:
        told = git(root, "config", "-z", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
    except ClientError:  # there are none
        return {}
    words = told.split(b"\0")
    keys = [key for scope, key in zip(words[::2], words[1::2], strict=False) if scope in _FOLDERS_OWN]
    drivers = dict.fromkeys(os.fsdecode(key).rpartition(".")[0] for key in keys)
    values = {"clean": "", "process": "", "required": "false"}
    settings = [(f"{driver}.{name}", value) for driver in drivers for name, value in values.items()]
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


class ObjectReader:
    """Reads objects by id through one ``git cat-file --batch``. Use it in a ``with`` block."""

    def __init__(self, repository: Path) -> None:
        try:
            self._process = subprocess.Popen(
                ["git", *_NO_PROGRAMS, "cat-file", "--batch"],
                cwd=repository,
                env=_environment({"GIT_NO_REPLACE_OBJECTS": "1"}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise no_git() from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def read(self, identity: bytes) -> tuple[str, bytes]:
        """Kind and bytes of an object by its raw id."""
        return self.named(identity.hex())[1:]

    def named(self, name: str) -> tuple[str, str, bytes]:
        """Id in hexadecimal, kind and bytes of the object that ``name`` (``HEAD^{tree}``, an id) means."""
        wanted, given = _pipes(self._process)
        wanted.write(name.encode() + b"\n")
        wanted.flush()
        head = given.readline().split()
        if len(head) != 3:
            raise ClientError(
                "PLY6703", f"git has no object {name!r}", hint="check the repository with git fsck"
            )
        size = int(head[2])
        body = given.read(size + 1)
        if len(body) != size + 1:
            raise ClientError("PLY6703", f"git broke off in object {name!r}", hint="check it with git fsck")
        return head[0].decode(), head[1].decode(), body[:-1]


def no_git() -> ClientError:
    """The refusal where git is not installed."""
    return ClientError("PLY6701", "git is not installed", hint="install git, for example apt-get install git")


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("cat-file was started without pipes")
    return process.stdin, process.stdout


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    return {
        **inherited,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        **(extra or {}),
    }


def _last_line(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
