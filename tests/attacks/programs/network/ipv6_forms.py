"""Spells this machine's address as IPv6.

Must: refused
Grants: network
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT [::1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [::ffff:127.0.0.1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [::127.0.0.1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [64:ff9b::7f00:1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [2002:7f00:1::]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [fe80::1%25eth0]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [::ffff:7f00:1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [0:0:0:0:0:0:0:1]:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT [::]:{port} HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
