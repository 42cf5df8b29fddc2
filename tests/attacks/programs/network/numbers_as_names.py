"""Spells this machine's address in every way that lenient parsers take.

Must: one spelling, and it is compared with the grants
Grants: network
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT 127.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 0x7f000001:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 2130706433:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 017700000001:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 0177.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 127.0.0.1.:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 0:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT 127.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT LOCALHOST:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT localhost.:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT %31%32%37.0.0.1:{port} HTTP/1.1\r\n\r\n",
    f"CONNECT １２７.0.0.1:{port} HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
