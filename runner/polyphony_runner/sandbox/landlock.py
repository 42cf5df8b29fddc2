"""Landlock rule sets: which parts of the host's file tree a program may use, and whom it may signal.

The set is made here, from descriptors that were checked, and enforced by the program's own parent
(``supervise.py``) just before it starts. ABI 6 (Linux 6.12) is the oldest that keeps a program from signalling
processes outside; what no ABI covers is denied by the system call filter (``seccomp.BY_NAME``).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence

OLDEST_ABI = 6

_CREATE_RULESET, _ADD_RULE = 444, 445  # the same numbers on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_LIBC = ctypes.CDLL(None, use_errno=True)

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_SOCK, MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
EVERY_FILE_RIGHT = (1 << 16) - 1
EVERY_TCP_RIGHT = 3  # bind, connect: handled and never granted
EVERY_SCOPE = 3  # abstract unix sockets, signals

READ = EXECUTE | READ_FILE | READ_DIR
WRITE = EVERY_FILE_RIGHT & ~(MAKE_CHAR | MAKE_SOCK | MAKE_BLOCK | IOCTL_DEV)
DEVICE = READ_FILE | WRITE_FILE
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


def abi() -> int:
    """The kernel's version of Landlock; 0 where there is none, it is switched off, or a filter denies it."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def rule_set(rules: Sequence[tuple[int, int]]) -> int:
    """A rule set that allows exactly these: (O_PATH descriptor, rights below it). The caller closes it.

    OSError where the kernel has no Landlock of ABI 6.
    """
    attributes = struct.pack("=QQQ", EVERY_FILE_RIGHT, EVERY_TCP_RIGHT, EVERY_SCOPE)
    made = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for fd, rights in rules:
            allowed = rights if stat.S_ISDIR(os.fstat(fd).st_mode) else rights & _OF_FILES
            _call(_ADD_RULE, made, _PATH_BENEATH, struct.pack("=Qi", allowed, fd), 0)
    except BaseException:
        os.close(made)
        raise
    return made


def _call(number: int, *arguments: object) -> int:
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "Landlock")
    return result
