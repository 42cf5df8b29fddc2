"""openat2(2), Linux ≥ 5.6: opening a path without following what somebody may put into its way."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

NO_MAGICLINKS, NO_SYMLINKS, BENEATH = 0x02, 0x04, 0x08

_SYS_OPENAT2 = 437  # the same number on every architecture
_AT_FDCWD = -100
_LIBC = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(folder: int, path: str, flags: int, resolve: int) -> int:
    """A descriptor of ``path`` from the open ``folder``; OSError ELOOP or EXDEV for what ``resolve`` forbids."""
    how = _How(flags, 0, resolve)
    descriptor = _LIBC.syscall(_SYS_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return int(descriptor)


def open_resolved(path: Path, flags: int = os.O_PATH) -> int:
    """A descriptor of an absolute path none of whose parts is a link (OSError ELOOP otherwise)."""
    return openat2(_AT_FDCWD, str(path), flags | os.O_CLOEXEC, NO_SYMLINKS | NO_MAGICLINKS)
