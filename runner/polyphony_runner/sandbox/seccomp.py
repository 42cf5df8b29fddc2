"""The system call filter: a deny list with a ceiling, as classic BPF.

Order: another architecture is killed (so is the x32 table), then the rules, then every number above 469 is
"not implemented", so that a system call younger than this file is never let through. The numbers are pairs
(x86_64, aarch64). An allow list would break Node, Go and Java with each libc; the ceiling gives its main benefit.

>>> len(program("x86_64", ())) % 8
0
"""

from __future__ import annotations

import functools
import platform
import struct
from collections.abc import Iterable

AF_INET = 2
CEILING = 469  # Linux 6.17
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

LOAD, AND, JUMP_EQUAL, JUMP_GREATER, JUMP_SET, RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARG0, OFFSET_ARG1 = 0, 4, 16, 24
X32_BIT = 0x40000000
NEW_NAMESPACES = 0x7E020000  # all CLONE_NEW* that clone() can ask for
TIOCSTI, TIOCLINUX = 0x5412, 0x541C

# name -> (x86_64, aarch64); None where the architecture has no such call
Numbers = tuple[int | None, int | None]
DEBUG_KEYS_KERNEL: dict[str, Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "personality": (135, 92),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
    "vhangup": (153, 58),
    "nfsservctl": (180, 42),
    "fanotify_init": (300, 262),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
MOUNTS_NAMESPACES: dict[str, Numbers] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
}
MACHINE: dict[str, Numbers] = {
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
}
# segments, sets and queues that live on in the kernel's memory, in no process: limits of processes do not count them
SYSTEM_V: dict[str, Numbers] = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
}
# flags behind a pointer (glibc falls back to clone); io_uring would do calls that no filter sees
NOT_IMPLEMENTED: dict[str, Numbers] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
CLONE = (56, 220)
IOCTL = (16, 29)
SOCKET = (41, 198)
SOCKETPAIR = (53, 199)
SOCKET_TYPE = 0xF  # the rest of the argument are flags
CONNECTED_FOR_GOOD = (1, 5)  # SOCK_STREAM, SOCK_SEQPACKET

# Level landlock, where the host's files keep their names and its processes may have the program's user id: what
# changes or watches a file by its name, or bounds and slows another process.
BY_NAME: dict[str, Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "inotify_add_watch": (254, 27),
    "fanotify_mark": (301, 263),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
# allowed where the first argument, a process, is 0: the caller itself
OWN_PROCESS_ONLY: dict[str, Numbers] = {
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
}
# allowed where the first two arguments say "one process: the caller"
OWN_PRIORITY_ONLY: dict[str, Numbers] = {"setpriority": (141, 140)}
NO_PRIORITY: dict[str, Numbers] = {"ioprio_set": (251, 30)}

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _return(value: int) -> Instruction:
    return (RETURN, 0, 0, value)


def _numbers(table: dict[str, Numbers], column: int) -> Iterable[int]:
    return (number for pair in table.values() if (number := pair[column]) is not None)


def _deny(numbers: Iterable[int], errno: int) -> list[Instruction]:
    rules: list[Instruction] = []
    for number in numbers:
        rules += [(JUMP_EQUAL, 0, 1, number), _return(ERRNO | errno)]
    return rules


def _guarded(number: int, body: list[Instruction]) -> list[Instruction]:
    """Run ``body``, which always returns, for this one call."""
    return [(JUMP_EQUAL, 0, len(body), number), *body]


def _socket_rule(families: Iterable[int]) -> list[Instruction]:
    body: list[Instruction] = [(LOAD, 0, 0, OFFSET_ARG0)]
    for family in families:
        body += [(JUMP_EQUAL, 0, 1, family), _return(ALLOW)]
    return [*body, _return(ERRNO | EAFNOSUPPORT)]


def _socketpair_rule() -> list[Instruction]:
    """Pairs stay pairs: a datagram socket of a pair could still send to any socket file it can name."""
    body: list[Instruction] = [(LOAD, 0, 0, OFFSET_ARG1), (AND, 0, 0, SOCKET_TYPE)]
    for kind in CONNECTED_FOR_GOOD:
        body += [(JUMP_EQUAL, 0, 1, kind), _return(ALLOW)]
    return [*body, _return(ERRNO | EPERM)]


def _zero_or_denied(offsets: Iterable[int]) -> list[Instruction]:
    body: list[Instruction] = []
    for offset in offsets:
        body += [(LOAD, 0, 0, offset), (JUMP_EQUAL, 1, 0, 0), _return(ERRNO | EPERM)]
    return [*body, _return(ALLOW)]


def _on_the_host(column: int) -> list[Instruction]:
    """What level landlock denies beyond the other levels."""
    rules = _deny(_numbers({**BY_NAME, **NO_PRIORITY}, column), EPERM)
    for number in _numbers(OWN_PROCESS_ONLY, column):
        rules += _guarded(number, _zero_or_denied((OFFSET_ARG0,)))
    for number in _numbers(OWN_PRIORITY_ONLY, column):
        rules += _guarded(number, _zero_or_denied((OFFSET_ARG0, OFFSET_ARG1)))
    return rules


def program(machine: str, families: Iterable[int], *, on_host: bool = False) -> bytes:
    """The filter as ``struct sock_filter[]``; ``families`` are the address families socket() may open.

    ``on_host`` adds what level landlock needs, whose programs see the host's own files and processes.
    """
    column = list(AUDIT_ARCH).index(machine)
    clone: list[Instruction] = [
        (LOAD, 0, 0, OFFSET_ARG0),
        (JUMP_SET, 0, 1, NEW_NAMESPACES),
        _return(ERRNO | EPERM),
        _return(ALLOW),
    ]
    ioctl: list[Instruction] = [  # the kernel looks at the low 32 bits of the request only, so do we
        (LOAD, 0, 0, OFFSET_ARG1),
        (JUMP_EQUAL, 1, 0, TIOCSTI),
        (JUMP_EQUAL, 0, 1, TIOCLINUX),
        _return(ERRNO | EPERM),
        _return(ALLOW),
    ]
    x32: list[Instruction] = [(JUMP_GREATER, 0, 1, X32_BIT - 1), _return(KILL_PROCESS)]
    rules = [
        (LOAD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _return(KILL_PROCESS),
        (LOAD, 0, 0, OFFSET_NUMBER),
        *(x32 if machine == "x86_64" else []),
        *_deny(_numbers(DEBUG_KEYS_KERNEL, column), EPERM),
        *_deny(_numbers(MOUNTS_NAMESPACES, column), EPERM),
        *_deny(_numbers(MACHINE, column), EPERM),
        *_deny(_numbers(SYSTEM_V, column), EPERM),
        *_deny(_numbers(NOT_IMPLEMENTED, column), ENOSYS),
        *(_on_the_host(column) if on_host else []),
        *_guarded(CLONE[column], clone),
        *_guarded(SOCKET[column], _socket_rule(families)),
        *_guarded(SOCKETPAIR[column], _socketpair_rule()),
        *_guarded(IOCTL[column], ioctl),
        (JUMP_GREATER, 0, 1, CEILING),
        _return(ERRNO | ENOSYS),
        _return(ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *rule) for rule in rules)


def supported() -> bool:
    """True when the filter knows this machine's numbers."""
    return platform.machine() in AUDIT_ARCH


@functools.cache
def filter_for(*, network: bool, on_host: bool = False) -> bytes:
    """The filter of this machine: offline no socket() at all, with a grant IPv4 only (towards the proxy)."""
    return program(platform.machine(), (AF_INET,) if network else (), on_host=on_host)
