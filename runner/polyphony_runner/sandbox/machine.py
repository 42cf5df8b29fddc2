"""Facts about this machine that the sandbox depends on. Reading them decides nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BWRAP_PATHS = "/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin"
OLDEST_BWRAP = (0, 8, 0)
SYSCTLS = (
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
)
# bits of CapEff that the privileged level needs
NEEDED_CAPABILITIES = {"SETGID": 6, "SETUID": 7, "SETPCAP": 8, "SYS_ADMIN": 21}


@dataclass(frozen=True, slots=True)
class Machine:
    """What preflight and doctor look at. ``bwrap`` is empty when bubblewrap is not installed."""

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

    def missing_capabilities(self) -> list[str]:
        """Names of what the privileged level lacks."""
        return [name for name, bit in NEEDED_CAPABILITIES.items() if not self.capabilities >> bit & 1]

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
    )
