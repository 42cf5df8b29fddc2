"""The same nodes at every level this machine offers: as root, and as a user who is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from polyphony_runner.sandbox.spec import Level
from support.sandbox_box import AS_ROOT, SYSTEM_PYTHON, as_user, levels, make_box, seen, user_environment

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


def offered() -> list[Level]:
    """Levels whose interpreter can load the libraries of this environment."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    same = subprocess.run(
        [SYSTEM_PYTHON, "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()
    return [level for level in levels() if (level == "full-privileged") == AS_ROOT or same == OURS]


@pytest.mark.parametrize("level", offered())
def test_every_sort_of_node_runs(level: Level) -> None:
    with make_box(level) as box:
        folder = box.folder / "bench"
        folder.mkdir()
        python, environment = [sys.executable], dict(os.environ)
        if not box.in_process:
            os.chown(folder, box.folder.stat().st_uid, box.folder.stat().st_gid)
            python, environment = as_user(SYSTEM_PYTHON), user_environment(box.folder)
        tests = Path(__file__).parents[2]
        libraries = sysconfig.get_paths()["purelib"]
        paths = (environment.get("PYTHONPATH"), libraries if box.in_process else seen(libraries), str(tests))
        environment["PYTHONPATH"] = ":".join(path for path in paths if path)
        words = [*python, "-m", "support.runtimes_other_user", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
    refused = report["outcomes"].pop("plain")
    assert "Read-only file system" in refused or "Permission denied" in refused
    assert set(report["outcomes"].values()) == {True}, report
    assert report["files"] == ["copy/new", "direct/new"]
