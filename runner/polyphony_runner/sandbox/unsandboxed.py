"""No isolation at all, for the one run whose person asked for it by name (``--unsafe-no-sandbox``).

The program runs as the runner's user with its network and files. Kept all the same: resource limits, the wall
clock, bounds of the streams, a clean environment, and that no process outlives the run (``supervise.py`` adopts and
ends every descendant). Paths inside do not exist, so words, environment and folder that name one are
translated to the host's paths (``host_path``).
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from polyphony_runner.sandbox.cgroup import ControlGroup
from polyphony_runner.sandbox.process import SandboxProcess, Start, spawn
from polyphony_runner.sandbox.spec import SandboxSpec

SUPERVISOR = Path(__file__).with_name("supervise.py")
PATH = "/usr/local/bin:/usr/bin:/bin"


def host_path(spec: SandboxSpec, word: str) -> str:
    """The host's path for a word that is a path inside, else the word as it is."""
    places = {"/ws": spec.work} | {mount.inside: mount.source for mount in spec.mounts}
    for inside, source in sorted(places.items(), key=lambda place: -len(place[0])):
        if word == inside:
            return str(source)
        if word.startswith(inside + "/"):
            return str(source / word[len(inside) + 1 :])
    return word


async def spawn_supervised(spec: SandboxSpec, group: ControlGroup) -> SandboxProcess:
    """Start the program below its supervisor, waiting for ``release``."""
    words = [host_path(spec, word) for word in spec.argv]
    env = {"PATH": PATH, "HOME": str(spec.work), "TMPDIR": str(spec.work), "LANG": "C.UTF-8", "TZ": "UTC"}
    for name, value in spec.env.items():
        env[name] = ":".join(host_path(spec, part) for part in value.split(":"))

    def start(status: int, block: int, _sync: int) -> Start:
        command = [sys.executable, "-I", "-S", str(SUPERVISOR), str(status), str(block), *words]
        return Start(command, (status, block), env, host_path(spec, spec.chdir))

    # SIGTERM: the supervisor ends everything below it before it ends itself
    return await spawn(start, group, end_signal=signal.SIGTERM)
