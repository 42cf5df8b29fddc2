"""Connects to a socket that has a name and no file.

Must: AF_UNIX cannot be opened, and the name is of another network
"""

import socket

from attempt import WORLD, attempt, reach

attempt("abstract", lambda: reach(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + WORLD["abstract"]))
