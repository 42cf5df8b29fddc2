"""Speaks to a service through the socket file in a folder it may read.

Must: AF_UNIX cannot be opened
"""

import socket

from attempt import attempt, inside, reach

attempt("stream", lambda: reach(socket.AF_UNIX, socket.SOCK_STREAM, inside("/src/stream")))
attempt("datagram", lambda: reach(socket.AF_UNIX, socket.SOCK_DGRAM, inside("/src/datagram")))
