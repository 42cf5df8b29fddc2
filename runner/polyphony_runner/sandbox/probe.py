"""Runs inside the sandbox at preflight and says, as JSON, what isolates and what does not. A plain script.

Usage: ``python -I -S probe.py @HOST_FILE SHOWN_FOLDER``. The expected user is the one that /etc/passwd names.
"""

import ctypes
import errno
import json
import os
import sys

CLONE_NEWUSER = 0x10000000


def status(name: str) -> str:
    """A field of /proc/self/status."""
    with open("/proc/self/status") as file:  # noqa: PTH123  # no imports beyond the bare minimum in here
        for line in file:
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
    return ""


def interfaces() -> list[str]:
    """Names of network interfaces."""
    with open("/proc/net/dev") as file:  # noqa: PTH123
        return [line.partition(":")[0].strip() for line in file if ":" in line]


def read_only(folder: str) -> bool:
    """Whether nothing can be made there."""
    try:
        fd = os.open(folder + "/polyphony-probe", os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        return error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    os.close(fd)
    return False


def namespaces_denied() -> bool:
    """Whether a new user namespace is refused."""
    return bool(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER))


def expected_uid() -> int:
    """The runner writes a passwd with the one user there is."""
    with open("/etc/passwd") as file:  # noqa: PTH123
        return int(file.read().split(":")[2])


def checks(host_file: str, shown: str) -> dict[str, bool]:
    """Name of each assertion and whether it holds."""
    return {
        "runs as its own user": os.getuid() == os.geteuid() == expected_uid() != 0,
        "has no capabilities": int(status("CapEff"), 16) == 0,
        "cannot gain privileges": status("NoNewPrivs") == "1",
        "has its system calls filtered": status("Seccomp") == "2",
        "has no network interface but its own loopback": interfaces() == ["lo"],
        "sees no host processes": sum(name.isdigit() for name in os.listdir("/proc")) <= 3,  # noqa: PTH208
        "cannot write the root": all(os.statvfs(top).f_flag & os.ST_RDONLY for top in ("/", "/dev", "/usr")),
        "cannot see a host file": not os.path.exists(host_file),  # noqa: PTH110
        "sees what is shown, and cannot write it": os.path.isdir(shown) and read_only(shown),  # noqa: PTH112
        "cannot make user namespaces": namespaces_denied(),
        "can write the work folder": not read_only("/ws"),
        "can write /tmp": not read_only("/tmp"),  # noqa: S108
    }


if __name__ == "__main__":
    print(json.dumps(checks(sys.argv[1].removeprefix("@"), sys.argv[2])))  # noqa: T201
