"""Sends packets to a service of this machine's loopback.

Must: refused
"""

import socket

from attempt import WORLD, attempt, reach

attempt("udp", lambda: reach(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", WORLD["udp"])))
attempt("tcp", lambda: reach(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", WORLD["tcp"])))
attempt("multipath", lambda: reach(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", WORLD["tcp"]), 262))
attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
