"""Hides a second request or another host in the head of the first.

Must: no header chooses the host, and a head is read strictly
Grants: network
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT granted.example%0d%0aHost:127.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: granted.example\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
    f"CONNECT other.example:443 HTTP/1.1\r\nHost: granted.example:443\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\n\r\n",
    f"GET http://granted.example@127.0.0.1:{port}/ HTTP/1.1\r\n\r\n",
    f"GET ftp://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n",
    b"GET http://127.0.0.1/ HTTP/1.1\r\n" + b"A: " + b"x" * 65536 + b"\r\n\r\n",
    f"BREW http://granted.example/ HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
