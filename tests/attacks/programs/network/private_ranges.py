"""Asks for addresses of private networks and of this machine.

Must: what is not granted is refused
Grants: network
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT 10.0.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 172.16.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 192.168.1.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 0.0.0.0:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 100.64.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 198.18.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 224.0.0.1:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 255.255.255.255:80 HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
