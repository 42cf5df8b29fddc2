"""Runs inside the sandbox and tries to get out; prints what happened as JSON. The file /asked names a host file."""

# ruff: noqa: PTH101, PTH123, PTH208, SIM115  # bare calls are what is tried here

import ctypes
import errno
import json
import os
import platform
import pwd
import resource
import socket
from collections.abc import Callable
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
# name -> (x86_64, aarch64)
CALLS = {
    "ptrace": (101, 117),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "open_by_handle_at": (304, 265),
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "number 470": (470, 470),
    "number 600": (600, 600),
}


def error_of(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "allowed"


def call(number: int, *arguments: int) -> None:
    ctypes.set_errno(0)
    if LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")


def write(path: str) -> str:
    def attempt() -> None:
        with open(path, "w") as file:
            file.write("x")

    return error_of(attempt)


def status(name: str) -> str:
    with open("/proc/self/status") as file:
        return next(line.split(":", 1)[1].strip() for line in file if line.startswith(name + ":"))


def main(host_file: str) -> dict[str, object]:
    column = 0 if platform.machine() == "x86_64" else 1
    clone, ioctl = ((56, 16), (220, 29))[column]
    pid_one = open("/proc/1/cmdline", "rb").read()
    return {
        "uid": os.getuid(),
        "name": pwd.getpwuid(os.getuid()).pw_name,
        "capabilities": int(status("CapEff"), 16) | int(status("CapBnd"), 16) * (os.getuid() != 65534),
        "no_new_privileges": status("NoNewPrivs"),
        "hostname": socket.gethostname(),
        "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "root": sorted(os.listdir("/")),
        "host_file": error_of(lambda: open(host_file)),
        "fds": len(os.listdir("/proc/self/fd")) - 1,
        "environment": sorted(os.environ),
        "pid_one": pid_one.decode("utf-8", "replace"),
        "core_limit": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "terminal": error_of(lambda: open("/dev/tty")),
        "calls": {name: error_of(partial(call, pair[column], 0, 0, 0, 0, 0)) for name, pair in CALLS.items()},
        "clone user": error_of(partial(call, clone, 0x10000000 | 17, 0, 0, 0, 0)),
        "tiocsti": error_of(partial(call, ioctl, 0, 0x5412, 0)),
        "tiocsti high": error_of(partial(call, ioctl, 0, 0x7700005412, 0)),
        "tioclinux": error_of(partial(call, ioctl, 0, 0x541C, 0)),
        "sockets": {
            name: error_of(partial(socket.socket, getattr(socket, name)))
            for name in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK")
        },
        "socketpair": error_of(socket.socketpair),
        "sysctl": write("/proc/sys/kernel/core_pattern"),
        "writes": {
            path: write(path)
            for path in ("/x", "/usr/x", "/etc/x", "/dev/x", "/tmp/x", "/dev/shm/x", "/ws/x")
        },
        "shown": {path: write(path) for path in ("/src/x", "/src/file")},
        "kernel memory": error_of(lambda: open("/proc/kcore", "rb").read(1)),
        "pid one memory": error_of(lambda: open("/proc/1/mem", "r+b")) if os.getuid() != 65534 else "EACCES",
        "secret": open("/tmp/.secrets/TOKEN").read(),
        "secret write": write("/tmp/.secrets/TOKEN"),
        "suid": error_of(lambda: os.chmod("/ws/x", 0o4777)),
    }


if __name__ == "__main__":
    print(json.dumps(main(open("/asked").read())))
