"""Runs the attack programs at each level of this machine, each level in a process of its own and by the user it is for."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from polyphony_runner.sandbox import landlock
from polyphony_runner.sandbox.spec import Level
from polyphony_runner.sandbox.tree import remove_tree
from support.sandbox_box import AS_ROOT, ROOT, SYSTEM_PYTHON, USER, as_user, levels, seen, user_environment

ORDER: tuple[Level, ...] = ("full", "full-privileged", "landlock", "wasm")
Came = dict[str, dict[str, str]]  # program → came, by


@functools.cache
def _loads_our_libraries() -> bool:
    """Whether the interpreter of the other user is of our version: as root our own may lie in a folder of root's."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def attacked_levels() -> list[Level]:
    """The levels that this machine has and whose runner can be started here."""
    here = [level for level in levels() if (level == "full") != AS_ROOT or _loads_our_libraries()]
    if landlock.abi() >= landlock.OLDEST_ABI:
        here.append("landlock")
    return [level for level in ORDER if level in (*here, "wasm")]


def attack(level: Level, names: Sequence[str] = ()) -> Came:
    """Run them all, or those that are named; what came of each."""
    other = AS_ROOT and level != "full-privileged" and _loads_our_libraries()
    folder = Path(tempfile.mkdtemp(prefix="polyphony-attacks-", dir="/tmp"))
    libraries = sysconfig.get_paths()["purelib"]
    python = [sys.executable]
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "tests"), TMPDIR=str(folder))
    if other:
        os.chown(folder, USER, USER)
        python, environment = as_user(SYSTEM_PYTHON), user_environment(folder)
        environment["PYTHONPATH"] += f":{seen(libraries)}"
    try:
        words = [*python, "-m", "support.attack_driver", level, str(folder / "places"), *names]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd="/", check=False)
        assert done.returncode == 0, done.stderr
        found: Came = json.loads(done.stdout)
        return found
    finally:
        remove_tree(folder)
