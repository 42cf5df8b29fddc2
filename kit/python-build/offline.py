"""pip without any index: build one wheel, install many."""

from __future__ import annotations

import email
import os
import subprocess
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

PIP = ("python", "-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir")
# The copy belongs to somebody else inside; tools that ask git for the version should get an answer.
TRUST_GIT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
# Where git cannot tell a version either, the build goes on with a made-up one.
MADE_UP_VERSION = {
    "SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.0",
    "PDM_BUILD_SCM_VERSION": "0.0.0",
    "PBR_VERSION": "0.0.0",
    "POETRY_DYNAMIC_VERSIONING_BYPASS": "0.0.0",
    "UV_DYNAMIC_VERSIONING_BYPASS": "0.0.0",
}


class Wheel(NamedTuple):
    """A wheel file."""

    name: str
    version: Version
    path: Path

    @classmethod
    def at(cls, path: Path) -> Wheel:
        """Read the file name. InvalidWheelFilename for anything else."""
        name, version, *_ = parse_wheel_filename(path.name)
        return cls(name, version, path)


def build_wheel(project: Path, wheels: Path, folder: Path) -> tuple[Wheel | None, str]:
    """Build the project's wheel, a second time with a made-up version if the first fails; the wheel and the log."""
    words = ["wheel", "--no-deps", "--no-index", "--find-links", str(wheels), "--wheel-dir", str(folder)]
    log = ""
    for further in ({}, MADE_UP_VERSION):
        done = pip(*words, str(project), env={**TRUST_GIT, **further})
        log += done.stdout
        if done.returncode == 0:
            return Wheel.at(next(folder.glob("*.whl"))), log
    return None, log


def pip(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run pip; both streams are in ``stdout``."""
    return subprocess.run(
        [*PIP, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **(env or {})},
    )


def requirements_of(wheel: Path) -> list[str]:
    """``Requires-Dist`` of a wheel, without those of extras."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = email.message_from_bytes(archive.read(name))
    return [line for line in message.get_all("Requires-Dist") or [] if "extra ==" not in line]


def newest(folder: Path, own: Wheel | None) -> list[Wheel]:
    """One wheel of each project, the newest; ``own`` in place of any other of that name."""
    chosen: dict[str, Wheel] = {}
    for path in sorted(folder.glob("*.whl")):
        try:
            wheel = Wheel.at(path)
        except InvalidWheelFilename:
            continue
        if wheel.name not in chosen or wheel.version > chosen[wheel.name].version:
            chosen[wheel.name] = wheel
    if own is not None:
        chosen[own.name] = own
    return [chosen[name] for name in sorted(chosen)]


def install(wheels: Iterable[Path], target: Path) -> subprocess.CompletedProcess[str]:
    """Install wheels side by side as they are: the fetching node has resolved them already."""
    words = ("install", "--no-deps", "--no-index", "--no-compile", "--target", str(target))
    paths = [str(path) for path in wheels]
    return pip(*words, *paths) if paths else subprocess.CompletedProcess([], 0, "")
