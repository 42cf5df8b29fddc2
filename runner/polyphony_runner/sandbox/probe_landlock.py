"""Runs at level ``landlock`` at preflight and says, as JSON, what isolates and what does not. A plain script.

Usage: ``python -I -S probe_landlock.py @HOST_FILE SHOWN_FOLDER``.
"""

import ctypes
import errno
import json
import os
import resource
import socket
import sys

CLONE_NEWUSER = 0x10000000
PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS = 21, 23, 39
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EAFNOSUPPORT)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes milliseconds to import
    from collections.abc import Callable


def denied(action: "Callable[[], object]") -> bool:
    """Whether the kernel refuses."""
    try:
        action()
    except OSError as error:
        return error.errno in DENIED
    return False


def read_only(folder: str) -> bool:
    """Whether nothing can be made there."""
    path = folder + "/polyphony-probe"
    if denied(lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))):
        return True
    os.unlink(path)  # noqa: PTH108  # no imports beyond the bare minimum in here
    return False


def checks(host_file: str, shown: str) -> dict[str, bool]:
    """Name of each assertion and whether it holds."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    nothing = (0, 0)
    return {
        "runs as no root": os.getuid() == os.geteuid() != 0,
        "cannot gain privileges": libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
        "has its system calls filtered": libc.prctl(PR_GET_SECCOMP) == 2,
        "cannot read a host file": denied(lambda: os.open(host_file, os.O_RDONLY)),
        "cannot list the host's folders": denied(lambda: os.listdir("/")),  # noqa: PTH208
        "cannot change a host file by its name": denied(lambda: os.chmod(host_file, 0o700))  # noqa: PTH101
        and denied(lambda: os.utime(host_file)),
        "cannot write outside its folders": all(
            read_only(place)
            for place in ("/tmp", "/var/tmp", "/dev/shm", "/usr", os.path.dirname(host_file))  # noqa: PTH120, S108
        ),
        "opens no socket": all(
            denied(lambda family=family: socket.socket(family))  # type: ignore[misc]  # a default of a lambda
            for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
        ),
        "cannot signal the host's processes": denied(lambda: os.kill(parent, 0)),
        "cannot bound the host's processes": denied(
            lambda: resource.prlimit(parent, resource.RLIMIT_CORE, nothing)
        ),
        "sees no processes": denied(lambda: os.listdir("/proc")),  # noqa: PTH208
        "cannot make user namespaces": bool(libc.unshare(CLONE_NEWUSER)),
        "sees what is shown, and cannot write it": os.listdir(shown) == ["file"] and read_only(shown),  # noqa: PTH208
        "can write the work folder": not read_only("."),
        "can write its temporary folder": not read_only(os.environ["TMPDIR"]),
    }


if __name__ == "__main__":
    print(json.dumps(checks(sys.argv[1].removeprefix("@"), sys.argv[2])))  # noqa: T201
