"""Uses a granted name that leads to this machine.

Must: the address is checked after the name is resolved
Grants: network
Endpoints: localhost:{port} localhost:{port}/plain
"""

from attempt import WORLD, attempt, proxied

port = WORLD["tcp"]
for head in (
    f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n",
    f"GET http://localhost:{port}/ HTTP/1.1\r\n\r\n",
):
    attempt(repr(head.split(b"\r\n")[0] if isinstance(head, bytes) else head.split("\r\n")[0]), lambda head=head: proxied(head))
