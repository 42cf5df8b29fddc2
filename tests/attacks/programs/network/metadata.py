"""Asks the cloud for the machine's credentials, even with a private grant.

Must: metadata addresses are always refused
Grants: network
Endpoints: 169.254.169.254:80/private 169.254.169.254:80/private/plain
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n",
    "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\n\r\n",
    f"CONNECT 168.63.129.16:80 HTTP/1.1\r\n\r\n",
    f"CONNECT metadata.google.internal:80 HTTP/1.1\r\n\r\n",
    f"CONNECT 100.100.100.200:80 HTTP/1.1\r\n\r\n",
    f"CONNECT [fd00:ec2::254]:80 HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
