"""Asks the kernel about networks and devices by netlink.

Must: refused
"""

import socket

from attempt import attempt

for protocol in (0, 2, 9, 15, 16):
    attempt(f"netlink {protocol}", lambda protocol=protocol: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
