"""Writes CONNECT so that two readers of it would see two hosts.

Must: only one form is read
Grants: network
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT granted.example:443@127.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 127.0.0.1:{port}#granted.example:443 HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:0443 HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:443:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:99999 HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:-1 HTTP/1.1\r\n\r\n",
    f"CONNECT granted.example:443/../127.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT  127.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 127.0.0.1:{port}\tHTTP/1.1\r\n\r\n",
    f"connect 127.0.0.1:{port} HTTP/1.1\r\n\r\n",
    b"CONNECT granted.example\0:443 HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
