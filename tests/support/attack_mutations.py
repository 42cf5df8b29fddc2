"""Takes one layer of the sandbox out, in this process only, and runs attack programs: ``LAYER FOLDER NAME…``.

For ``tools/mutate_sandbox.py``. Nothing here can be switched on in the product.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from polyphony_runner.sandbox import argv, limits, seccomp
from support.attack_driver import run_all
from support.attack_programs import attacks

ARGS_FILE = argv.Options.args_file
RLIMITS = limits.rlimits


def without_option(*words: str) -> None:
    """Leave out words of bubblewrap's option list that follow each other."""

    def args_file(options: argv.Options) -> int:
        for at in range(len(options.words) - len(words), -1, -1):
            if tuple(options.words[at : at + len(words)]) == words:
                del options.words[at : at + len(words)]
        return ARGS_FILE(options)

    setattr(argv.Options, "args_file", args_file)  # noqa: B010  # the mutation, which a type checker would refuse


def without_calls(table: dict[str, seccomp.Numbers]) -> None:
    """Let the calls of one group of the filter through."""
    table.clear()


def without_ceiling() -> None:
    """Let calls younger than the filter through, down to the kernel's own answer."""
    seccomp.CEILING = 1 << 30


def without_socket_rule() -> None:
    """Let every address family be opened."""
    seccomp._socket_rule = lambda families: [seccomp._return(seccomp.ALLOW)]


def without_pair_rule() -> None:
    """Let datagram pairs be made."""
    seccomp._socketpair_rule = lambda: [seccomp._return(seccomp.ALLOW)]


def without_rlimits() -> None:
    """Set no bounds on processes, files and descriptors."""
    limits.rlimits = lambda *_words, **_fields: {}


# layer → how it is taken out, and the programs that stand before it
LAYERS: dict[str, tuple[Callable[[], None], str]] = {
    "option --unshare-net": (partial(without_option, "--unshare-net"), "network/direct"),
    "option --unshare-pid": (partial(without_option, "--unshare-pid"), "processes/see_the_host"),
    "option --remount-ro /": (partial(without_option, "--remount-ro", "/"), "files/write_outside"),
    "option --remount-ro /dev": (partial(without_option, "--remount-ro", "/dev"), "files/write_outside"),
    "option --clearenv": (partial(without_option, "--clearenv"), "proc/pid_one secrets/of_another_node"),
    "calls: debugging, keys, kernel": (
        partial(without_calls, seccomp.DEBUG_KEYS_KERNEL),
        "processes/ptrace syscalls/debug_and_kernel syscalls/keys",
    ),
    "calls: mounts, namespaces": (
        partial(without_calls, seccomp.MOUNTS_NAMESPACES),
        "namespaces/unshare namespaces/setns namespaces/mount namespaces/new_root",
    ),
    "calls: machine": (partial(without_calls, seccomp.MACHINE), "syscalls/machine"),
    "calls: System V": (partial(without_calls, seccomp.SYSTEM_V), "syscalls/system_v"),
    "calls: clone3, io_uring": (
        partial(without_calls, seccomp.NOT_IMPLEMENTED),
        "namespaces/clone syscalls/io_uring",
    ),
    "ceiling of calls": (without_ceiling, "syscalls/of_the_future"),
    "socket families": (
        without_socket_rule,
        "sockets/granted_socket sockets/netlink sockets/udp sockets/vsock",
    ),
    "datagram pairs": (without_pair_rule, "sockets/datagram_pair"),
    "bounds of processes": (without_rlimits, "resources/one_file resources/descriptors files/sparse_result"),
}


if __name__ == "__main__":
    layer, folder = sys.argv[1:]
    remove, names = LAYERS[layer]
    remove()
    chosen = [attack for attack in attacks() if attack.name in names.split()]
    came = asyncio.run(run_all("full-privileged", Path(folder), chosen))
    print(json.dumps({name: asdict(verdict) for name, verdict in sorted(came.items())}))
