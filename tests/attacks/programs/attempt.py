"""What every program here uses: it tries one thing after another and says what came of each.

A line ``stopped WHAT: WHY`` says that something refused it, ``BROKE OUT WHAT`` that nothing did. The runner believes only
the second: what it can see from outside (canaries, listeners, processes, what the program left) it looks at itself.
"""

import ctypes
import errno
import json
import os
import platform
import socket

ROOT = os.environ.get("POLYPHONY_ROOT", "")  # level landlock has no file system of its own
X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)


def inside(path):
    """A path as the program finds it."""
    return ROOT + path


with open(inside("/attack/world.json")) as _file:
    WORLD = json.load(_file)


def stopped(what, why):
    print(f"stopped {what}: {why}", flush=True)


def broke_out(what):
    print(f"BROKE OUT {what}", flush=True)


def attempt(what, action):
    """Do it; anything but an exception (or False, for what is judged by its answer) is a way out."""
    try:
        if action() is False:
            return stopped(what, "not there")
    except OSError as error:
        return stopped(what, errno.errorcode.get(error.errno or 0, type(error).__name__))
    except Exception as error:
        return stopped(what, type(error).__name__)
    return broke_out(what)


def call(x86, arm, *arguments):
    """A system call by its number; OSError as from any other."""
    ctypes.set_errno(0)
    words = [a if isinstance(a, (bytes, ctypes.Array)) else ctypes.c_long(a) for a in arguments]
    words += [ctypes.c_long(0)] * (6 - len(words))
    if LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *words) < 0:
        raise OSError(ctypes.get_errno(), "")


def calls(table):
    """Each of these system calls, with nothing in its arguments."""
    for name, (x86, arm) in table.items():
        if X86 or arm is not None:
            attempt(name, lambda x86=x86, arm=arm: call(x86, arm))


def read(path):
    with open(path, "rb") as file:
        return len(file.read(64)) > 0


def append(path):
    with open(path, "ab") as file:
        file.write(b"x")


def reach(family, kind, address, protocol=0):
    """Say this program's name to somebody outside, who keeps it."""
    with socket.socket(family, kind, protocol) as made:
        made.settimeout(2)
        if kind == socket.SOCK_DGRAM:
            made.sendto(WORLD["name"].encode(), address)
        else:
            made.connect(address)
            made.sendall(WORLD["name"].encode())


def proxied(head):
    """Ask the runner's proxy; False when it answers with a refusal."""
    with socket.create_connection(("127.0.0.1", 3128), timeout=20) as peer:
        peer.sendall(head if isinstance(head, bytes) else head.encode())
        peer.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := peer.recv(65536):
            found += chunk
    if not found.startswith(b"HTTP/1.1 2"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, found[:40])
