"""Build a project with its own backend, offline, on a private copy of its files.

The result is one folder that goes on ``PYTHONPATH``: the project and everything it needs, side by side. The backend
and the project's build script run here, which is why this node has no network and sees a copy.
"""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tempfile
from pathlib import Path

KEEP = 8000  # characters of the log that are kept
# Builds that ask version control for a version: a copy or a source distribution may have none.
VERSION_HINTS = {
    "SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.0",
    "PDM_BUILD_SCM_VERSION": "0.0.0",
    "PBR_VERSION": "0.0.0",
}


def pip(*words, extra=None):
    """Run pip offline; returns the completed process with both streams in ``stdout``."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "--no-cache-dir",
        *words,
    ]
    env = {**os.environ, **(extra or {}), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    return subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=env,
    )


def build_wheel(project, wheels, folder):
    """Build the project's wheel, a second time with a made-up version if the first fails; returns (wheel, log)."""
    words = ["wheel", "--no-deps", "--no-index", "--find-links", wheels, "--wheel-dir", folder, str(project)]
    done = pip(*words)
    if done.returncode and not (project / "PKG-INFO").exists():
        done = pip(*words, extra=VERSION_HINTS)
    made = sorted(Path(folder).glob("*.whl"))
    return (made[0] if made and not done.returncode else None), done.stdout


def requirements_of(wheel):
    """``Requires-Dist`` of a wheel, without those of extras."""
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        message = email.message_from_bytes(archive.read(name))
    return [r for r in message.get_all("Requires-Dist") or [] if "extra ==" not in r]


def install(wheels, project_wheel, target):
    """Install all wheels as they are: the fetching node has resolved them already. Newest wins where there are two."""
    chosen = {}
    from packaging.utils import parse_wheel_filename

    for place in Path(wheels).glob("*.whl"):
        name, version, *_ = parse_wheel_filename(place.name)
        if name not in chosen or version > chosen[name][0]:
            chosen[name] = (version, place)
    if project_wheel:
        name, version, *_ = parse_wheel_filename(project_wheel.name)
        chosen[name] = (version, project_wheel)
    places = [str(place) for _, place in chosen.values()]
    done = pip("install", "--no-deps", "--no-index", "--no-compile", "--target", str(target), *places)
    return sorted(f"{name} {version}" for name, (version, _) in chosen.items()), done


def main(inputs, parameters, task, context):
    """Return the environment folder, the project's dependencies and what was built."""
    project, wheels = Path(inputs["path"]), inputs["wheels"]
    with tempfile.TemporaryDirectory() as folder:
        buildable = any((project / name).exists() for name in ("pyproject.toml", "setup.py", "setup.cfg"))
        wheel, log = (
            build_wheel(project, wheels, folder)
            if buildable
            else (None, "no build file: the sources are used as they are")
        )
        for line in log.splitlines()[-40:]:
            context.log("info", line)
        needed = requirements_of(wheel) if wheel else []
        if parameters["only_metadata"]:
            return {
                "requirements": needed,
                "report": {"built": wheel is not None, "installed": [], "left_out": [], "log": log[-KEEP:]},
            }
        target = Path("/out/environment")
        target.mkdir(exist_ok=True)
        installed, done = install(wheels, wheel, target)
        if done.returncode:
            context.fail("dependency", f"the environment cannot be made: {done.stdout.strip()[-2000:]}")
    left_out = [] if wheel or not buildable else [project.name]
    return {
        "requirements": needed,
        "report": {
            "built": wheel is not None,
            "installed": installed,
            "left_out": left_out,
            "log": log[-KEEP:],
        },
    }
