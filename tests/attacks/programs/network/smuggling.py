"""Sends a second request for another host over a connection that was granted.

Must: the connection leads to the granted endpoint, whatever is said over it
Grants: network
Endpoints: 127.0.0.1:{port}/private/plain
Reaches: tcp
"""

import socket

from attempt import WORLD, broke_out, stopped

port, other = WORLD["tcp"], WORLD["other tcp"]
second = f"GET http://127.0.0.1:{other}/ HTTP/1.1\r\nHost: 127.0.0.1:{other}\r\n\r\n"
heads = (
    f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n",
    f"POST http://127.0.0.1:{port}/ HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    f"CONNECT 127.0.0.1:{other} HTTP/1.1\r\n\r\nCONNECT 127.0.0.1:{other} HTTP/1.1\r\n\r\n",
)
for head in heads:
    with socket.create_connection(("127.0.0.1", 3128), timeout=20) as peer:
        peer.sendall((head + second).encode())
        peer.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := peer.recv(65536):
            found += chunk
    if b"of the other" in found:
        broke_out("to the other")
    else:
        stopped("second request", found[:12].decode("latin1"))
