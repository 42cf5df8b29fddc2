"""The network is what was granted, through the real sandbox and the real proxy."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from polyphony_runner.sandbox import Endpoint, Mount
from support.loopback import QuietHandler, on_loopback
from support.sandbox_box import QUICK, SYSTEM_PYTHON, Box

CLIENT = """
import json, os, socket, sys
def ask(head):
    peer = socket.create_connection(("127.0.0.1", 3128), timeout=60)
    peer.sendall(head.encode())
    found = b""
    while chunk := peer.recv(65536):
        found += chunk
        if b"200 Connection" in found:
            peer.sendall(b"GET /tunnelled HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
            found = b""
            head = ""
    return found.decode()
def direct(host, port):
    try:
        socket.create_connection((host, port), timeout=2).close()
        return "reached"
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "answers": [ask(head) for head in json.load(sys.stdin)],
    "direct": direct("127.0.0.1", int(os.environ["GRANTED_PORT"])),
    "proxy": os.environ.get("HTTPS_PROXY"),
}))
"""


class Handler(QuietHandler):
    def do_GET(self) -> None:
        self.answer(200, f"{self.path} for {self.headers['Host']}".encode())


@pytest.fixture
def server() -> Iterator[int]:
    """A real HTTP server on this machine's loopback; its port."""
    with on_loopback(Handler) as port:
        yield port


def test_reaches_exactly_the_granted_endpoints(box: Box, server: int) -> None:
    heads = [
        f"GET http://127.0.0.1:{server}/plain?q=1 HTTP/1.1\r\nHost: forged\r\nX-Own: 1\r\n\r\n",
        f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\n\r\n",
        "CONNECT other.example:443 HTTP/1.1\r\n\r\n",
        f"CONNECT 127.0.0.1:{server + 1 if server < 65535 else 1} HTTP/1.1\r\n\r\n",
        "BREW coffee HTTP/1.1\r\n\r\n",
    ]
    ended = box.python(
        CLIENT,
        stdin=json.dumps(heads).encode(),
        env={"GRANTED_PORT": str(server)},
        endpoints=(
            Endpoint("127.0.0.1", server, plain=True, private=True),
            Endpoint("127.0.0.1", server, private=True),
        ),
    )
    assert ended.kind is None, ended.stderr
    said = json.loads(ended.stdout)
    plain, tunnelled, other, port, brew = said["answers"]
    assert plain.endswith(f"/plain?q=1 for 127.0.0.1:{server}")
    assert tunnelled.endswith("/tunnelled for x")
    assert other.startswith("HTTP/1.1 403")
    assert 'network: ["other.example:443"]' in other
    assert port.startswith("HTTP/1.1 403")
    assert brew.startswith("HTTP/1.1 405")
    assert said["direct"] == "ConnectionRefusedError"
    assert said["proxy"] == "http://127.0.0.1:3128"
    # each is recorded when it has ended, which two that follow each other may do in either order
    verdicts = sorted((c.host, c.port - server, c.verdict, c.reason) for c in ended.connections)
    assert verdicts == [
        ("127.0.0.1", 0, "allowed", "granted"),
        ("127.0.0.1", 0, "allowed", "granted"),
        ("127.0.0.1", 1, "refused", "not-granted"),
        ("other.example", 443 - server, "refused", "not-granted"),
    ]
    reached = [c for c in ended.connections if c.verdict == "allowed"]
    assert all(c.received > 0 and c.address == "127.0.0.1" for c in reached)


def test_a_name_that_leads_to_this_machine_is_refused_without_private(box: Box, server: int) -> None:
    ended = box.python(
        CLIENT,
        stdin=json.dumps([f"CONNECT localhost:{server} HTTP/1.1\r\n\r\n"]).encode(),
        env={"GRANTED_PORT": str(server)},
        endpoints=(Endpoint("localhost", server),),
    )
    assert "private: true" in json.loads(ended.stdout)["answers"][0]
    assert [c.reason for c in ended.connections] == ["resolves-private"]


def test_a_command_that_is_no_python_reaches_the_granted_endpoint(box: Box, server: int) -> None:
    ended = box.run(
        "bash",
        "-c",
        f'exec 3<>/dev/tcp/127.0.0.1/3128; printf "GET http://127.0.0.1:{server}/sh HTTP/1.1\\r\\n\\r\\n" >&3; cat <&3',
        endpoints=(Endpoint("127.0.0.1", server, plain=True, private=True),),
    )
    assert b"/sh for 127.0.0.1" in ended.stdout


def test_without_a_grant_there_is_no_proxy_and_no_socket(box: Box) -> None:
    ended = box.python("import socket; socket.create_connection(('127.0.0.1', 3128))")
    assert ended.kind == "exit"
    assert "Address family not supported" in ended.stderr


FLOOD = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", 3128), timeout=60)
peer.sendall(f"CONNECT 127.0.0.1:{sys.argv[1]} HTTP/1.1\\r\\n\\r\\n".encode())
peer.recv(4096)
while True:
    peer.sendall(bytes(65536))
"""


def test_more_bytes_than_the_bound_end_the_program_as_network(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink:
        reading = threading.Thread(target=_read_all, args=(sink,))
        reading.start()
        port = sink.getsockname()[1]
        ended = box.run(
            SYSTEM_PYTHON, "-I", "-S", "-c", FLOOD, str(port),
            endpoints=(Endpoint("127.0.0.1", port, private=True),),
            limits=replace(QUICK, network=1 << 20),
        )  # fmt: skip
        reading.join()
    assert ended.kind == "network", ended
    assert "1048576 bytes" in ended.message
    assert [one.reason for one in ended.connections] == ["too-many-bytes"]


def _read_all(sink: socket.socket) -> None:
    peer, _ = sink.accept()
    with peer:
        while peer.recv(1 << 16):
            pass


DATAGRAM = """
import socket, sys
try:
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"out", "/src/socket")
    print("sent")
except OSError as error:
    print(type(error).__name__)
"""


def test_a_socket_file_in_a_granted_folder_gets_nothing_from_a_pair(box: Box) -> None:
    shown = box.folder / "shown"
    shown.mkdir(mode=0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(shown / "socket"))
        (shown / "socket").chmod(0o777)
        listening.setblocking(False)
        ended = box.python(DATAGRAM, mounts=(Mount(shown, "/src"),))
        assert ended.stdout == b"PermissionError\n", ended.stderr
        with pytest.raises(BlockingIOError):
            listening.recv(10)
