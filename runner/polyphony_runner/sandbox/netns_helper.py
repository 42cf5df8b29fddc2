"""The rootless runner's helper: makes a listener in a sandbox's network namespace. A plain script, stdlib only.

Usage: ``python -I -S netns_helper.py SOCKET_FD PORT``. Each message on the socket carries the descriptor of a network
namespace; the answer carries the listening socket, or the error as text. A fork per request enters the user
namespace that owns the network and is thrown away. Ends with its parent (end of file).
"""

import array
import ctypes
import fcntl
import os
import socket
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
NS_GET_USERNS = 0xB701
IP_FREEBIND = 15
libc = ctypes.CDLL(None, use_errno=True)


def enter(fd: int, kind: int) -> None:
    """setns(2), which Python 3.11 does not have."""
    if libc.setns(fd, kind):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def make(network: int, port: int) -> socket.socket:
    """Enter owner and network, listen on its loopback."""
    enter(fcntl.ioctl(network, NS_GET_USERNS), CLONE_NEWUSER)
    enter(network, CLONE_NEWNET)
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def serve(control: socket.socket, port: int) -> None:
    """Answer until the runner is gone."""
    while True:
        _, fds, _, _ = socket.recv_fds(control, 16, 1)
        if not fds:
            return
        child = os.fork()
        if child == 0:
            try:
                listener = make(fds[0], port)
                rights = array.array("i", [listener.fileno()])
                control.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            except OSError as error:
                control.send(str(error).encode()[:200])
            os._exit(0)
        os.close(fds[0])
        os.waitpid(child, 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
