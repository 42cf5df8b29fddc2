"""Sends to a socket file from a pair, for which no socket is opened.

Must: datagram pairs are refused
"""

import socket

from attempt import WORLD, attempt, inside


def send(kind):
    left, _ = socket.socketpair(socket.AF_UNIX, kind)
    left.sendto(WORLD["name"].encode(), inside("/src/datagram"))


attempt("datagram", lambda: send(socket.SOCK_DGRAM))
attempt("raw", lambda: send(socket.SOCK_RAW))
attempt("stream", lambda: send(socket.SOCK_STREAM))
