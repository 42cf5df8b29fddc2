"""Wheels by pip, wheels alone: nothing that comes from the index is executed here.

One resolution for all requirements; where there is none, requirements are added one after the other and those that
cannot be added are left out, each with its reason.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metadata import name_of

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

PIP = ("python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input")
ONLY_WHEELS = ("--only-binary", ":all:", "--cache-dir", "/tmp/pip")  # noqa: S108  # the node's own /tmp
MISSING = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
UNREACHABLE = re.compile(
    r"Connection|Max retries|Temporary failure|timed? ?out|SSLError|ProxyError", re.IGNORECASE
)


class LeftOut(NamedTuple):
    """A requirement that could not be had."""

    requirement: str
    reason: str


class Attempt(NamedTuple):
    """Whether pip worked, and what it said."""

    worked: bool
    said: str

    @property
    def reason(self) -> str:
        """Why it did not work, in one line."""
        found = MISSING.search(self.said)
        if found:
            return f"{found[1]} has no wheel for this Python that fits"
        errors = [line.removeprefix("ERROR: ") for line in self.said.splitlines() if line.startswith("ERROR")]
        return (errors or self.said.splitlines() or ["pip gave no reason"])[0][:500]


def download(requirements: Sequence[str], folder: Path) -> Attempt:
    """Resolve and download into a new ``folder``, which is left as it is when that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    argv = [*PIP, *ONLY_WHEELS, "--dest", str(folder), "--", *requirements]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    return Attempt(done.returncode == 0, done.stderr.strip())


def fetch(requirements: Sequence[str], folder: Path, context: Context) -> list[LeftOut]:
    """Download all that can be had together; what was left out, each with its reason."""
    wanted = list(requirements)
    left_out: list[LeftOut] = []
    while wanted:
        attempt = download(wanted, folder)
        if attempt.worked:
            return left_out
        if UNREACHABLE.search(attempt.said):
            context.fail("network", f"the package index cannot be reached: {attempt.reason}", retryable=True)
        found = MISSING.search(attempt.said)
        culprit = next((r for r in wanted if found and name_of(r) == name_of(found[1])), None)
        if culprit is None:
            return left_out + one_by_one(wanted, folder, context)
        context.log(f"{culprit} is left out: {attempt.reason}", "warning")
        left_out.append(LeftOut(culprit, attempt.reason))
        wanted.remove(culprit)
    return left_out


def one_by_one(requirements: Sequence[str], folder: Path, context: Context) -> list[LeftOut]:
    """The slow way, when pip does not name the one that fails: keep each that still resolves with those before."""
    kept: list[str] = []
    left_out = []
    for number, requirement in enumerate(requirements):
        context.progress(number, len(requirements), requirement)
        attempt = download([*kept, requirement], folder)
        if attempt.worked:
            kept.append(requirement)
        else:
            context.log(f"{requirement} is left out: {attempt.reason}", "warning")
            left_out.append(LeftOut(requirement, attempt.reason))
    if left_out and kept:
        download(kept, folder)
    return left_out
