"""Speaks to the hypervisor, and through the kernel's cryptography and other rare families.

Must: refused
"""

import socket

from attempt import attempt

for name, family in {"vsock": 40, "alg": 38, "bluetooth": 31, "can": 29, "key": 15, "tipc": 30, "xdp": 44, "qipcrtr": 42, "smc": 43}.items():
    attempt(name, lambda family=family: socket.socket(family, socket.SOCK_STREAM))
    attempt(name, lambda family=family: socket.socket(family, socket.SOCK_RAW))
