"""Connects without the proxy: to the host's loopback, to the world, to its own network.

Must: the network is empty but for the proxy
Grants: network
"""

import socket

from attempt import WORLD, attempt, reach

for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "1.1.1.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"):
    attempt(address, lambda address=address: reach(socket.AF_INET, socket.SOCK_STREAM, (address, WORLD["tcp"])))
attempt("IPv6", lambda: reach(socket.AF_INET6, socket.SOCK_STREAM, ("::1", WORLD["tcp"])))
attempt("multipath", lambda: reach(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", WORLD["tcp"]), 262))
attempt("udp", lambda: (reach(socket.AF_INET, socket.SOCK_DGRAM, ("1.1.1.1", 53))))
