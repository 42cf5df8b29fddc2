"""Uses a granted host at another port, and the proxy's own.

Must: host and port are granted together
Grants: network
Endpoints: 127.0.0.1:{port}/private
"""

from attempt import WORLD, attempt, proxied

for port in (WORLD["other tcp"], 3128, 22, 25, 0, 65536):
    attempt(str(port), lambda port=port: proxied(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n"))
