"""Opens raw and packet sockets.

Must: refused
"""

import socket

from attempt import attempt

for protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_RAW, socket.IPPROTO_TCP):
    attempt("raw", lambda protocol=protocol: socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol))
attempt("raw 6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
