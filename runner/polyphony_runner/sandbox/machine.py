"""Facts about this machine that the sandbox depends on. Reading them decides nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polyphony_runner.sandbox import landlock

BWRAP_PATHS = "/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin"
OLDEST_BWRAP = (0, 8, 0)
SYSCTLS = (
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
)
# bits of CapEff that root needs for level landlock, and for the privileged level
TO_CONFINE = {"CHOWN": 0, "DAC_OVERRIDE": 1, "SETGID": 6, "SETUID": 7, "SETPCAP": 8}
NEEDED_CAPABILITIES = {"SETGID": 6, "SETUID": 7, "SETPCAP": 8, "SYS_ADMIN": 21}


@dataclass(frozen=True, slots=True)
class Machine:
    """What preflight and doctor look at. ``bwrap`` is empty when bubblewrap is not installed.

    ``landlock`` is the kernel's ABI (0: none), ``container`` its kind where it says so (``docker podman kubernetes``
    or another word), ``actions`` whether this is a job of GitHub Actions.
    """

    system: str
    kernel: str
    architecture: str
    uid: int
    capabilities: int
    bwrap: str
    bwrap_version: tuple[int, ...]
    bwrap_changed: int
    boot: str
    sysctls: tuple[tuple[str, str], ...]
    wsl1: bool
    landlock: int = 0
    container: str = ""
    actions: bool = False

    @property
    def supervises(self) -> bool:
        """Whether a program can at least be bounded and ended with all that it started."""
        return self.system == "linux" and not self.wsl1

    def missing_capabilities(self, needed: Mapping[str, int] = NEEDED_CAPABILITIES) -> list[str]:
        """Names of what a level needs, by default the privileged one, and root lacks."""
        return [name for name, bit in needed.items() if not self.capabilities >> bit & 1]

    def key(self) -> str:
        """What a kept preflight result is valid for."""
        return repr((self.boot, self.bwrap, self.bwrap_changed, self.uid, self.capabilities, self.sysctls))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _capabilities() -> int:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", _read("/proc/self/status"), re.MULTILINE)
    return int(found[1], 16) if found else 0


@cache
def bwrap_path() -> str:
    """bubblewrap's absolute path, from the system's own folders (never from the caller's PATH), or empty."""
    return shutil.which("bwrap", path=BWRAP_PATHS) or ""


def _bwrap_version(path: str) -> tuple[int, ...]:
    if not path:
        return ()
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _container() -> str:
    """The kind of container this process is in, as far as it shows; empty outside of one."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if Path("/run/.containerenv").exists():
        return "podman"
    if Path("/.dockerenv").exists():
        return "docker"
    return os.environ.get("container", "")  # noqa: SIM112  # as systemd-nspawn, LXC and Podman write it


def look() -> Machine:
    """Read the facts now."""
    bwrap = bwrap_path()
    kernel = platform.release()
    return Machine(
        system=sys.platform,
        kernel=kernel,
        architecture=platform.machine(),
        uid=os.geteuid(),
        capabilities=_capabilities(),
        bwrap=bwrap,
        bwrap_version=_bwrap_version(bwrap),
        bwrap_changed=Path(bwrap).stat().st_mtime_ns if bwrap else 0,
        boot=_read("/proc/sys/kernel/random/boot_id"),
        sysctls=tuple((name.replace("/", "."), _read(f"/proc/sys/{name}")) for name in SYSCTLS),
        wsl1=kernel.endswith("-Microsoft"),
        landlock=landlock.abi() if sys.platform == "linux" else 0,
        container=_container(),
        actions=os.environ.get("GITHUB_ACTIONS") == "true",
    )
