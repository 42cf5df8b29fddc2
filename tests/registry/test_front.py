"""Slow and hostile clients at the network's side: they cost no thread and no git slot, and learn why they are refused."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from polyphony_registry import front
from polyphony_registry.git.protocol import Repository
from support.registry_running import Publisher, Running, http, new_registry, running_registry

MANY = 24
QUICK = 30.0  # half of what a request that stands still is given


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A registry with one process and few threads, and the tree of a large package in it."""
    folder = tmp_path_factory.mktemp("small")
    settings, owner = new_registry(folder / "data", workers=1, threads=2, git_slots=1)
    with running_registry(settings, owner) as running:
        publisher = Publisher(folder / "work", owner.token)
        tree = publisher.work_tree("shout", {"large.bin": os.urandom(3 << 20)})
        yield running, publisher.publish(running.url, tree).json()["tree"]


def connect(running: Running, request: str) -> socket.socket:
    """A connection that has sent the head of a request and does nothing more."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", int(running.url.rpartition(":")[2])))
    client.sendall(request.replace("\n", "\r\n").encode())
    return client


STANDING = {
    "body of a fetch": """\
POST /git/acme/shout.git/git-upload-pack HTTP/1.1
Host: x
Content-Length: 1000
Content-Type: application/x-git-upload-pack-request

0000""",
    "chunked body": """\
POST /api/v1/packages/acme/shout/versions HTTP/1.1
Host: x
Transfer-Encoding: chunked

5
abc""",
    "answer not read": "GET /archive/{tree}.tar.gz HTTP/1.1\nHost: x\n\n",
}


@pytest.mark.parametrize("request_", STANDING.values(), ids=STANDING)
def test_clients_that_stand_still_hold_nobody_up(small: tuple[Running, str], request_: str) -> None:
    running, tree = small
    with ExitStack() as open_:
        for _ in range(MANY):
            open_.enter_context(connect(running, request_.replace("{tree}", tree)))
        start = time.monotonic()
        assert http(f"{running.url}/healthz").status == 200
        assert http(f"{running.url}/acme/shout").status == 200
        refs = f"{running.url}/git/acme/shout.git/info/refs?service=git-upload-pack"
        assert http(refs).status == 200
        assert time.monotonic() - start < QUICK


def test_clones_whose_readers_stand_still_give_their_slot_back(small: tuple[Running, str]) -> None:
    running, _ = small
    services = running.services()
    commit = services.git.resolve(Repository("acme", "shout"), "refs/heads/main")
    services.close()
    lines = ["command=fetch\n", "0001", f"want {commit}\n", "done\n"]
    body = "".join(line if line == "0001" else f"{len(line) + 4:04x}{line}" for line in lines) + "0000"
    head = (
        "POST /git/acme/shout.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nGit-Protocol: version=2\r\n"
        f"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ExitStack() as open_:
        for _ in range(4):
            client = open_.enter_context(connect(running, ""))
            client.sendall((head + body).encode())
            assert client.recv(12) == b"HTTP/1.1 200"
        refs = f"{running.url}/git/acme/shout.git/info/refs?service=git-upload-pack"
        assert http(refs).status == 200


def test_a_push_without_a_token_is_refused_before_its_body_is_kept(small: tuple[Running, str]) -> None:
    running, _ = small
    request = (
        "POST /git/acme/shout.git/git-receive-pack HTTP/1.1\nHost: x\nContent-Length: 30000000\n"
        "Content-Type: application/x-git-receive-pack-request\n\n"
    )
    with connect(running, request) as client:
        client.sendall(b"x" * 10)
        client.settimeout(QUICK)
        assert client.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize("path", ["/acme/shout", "/log/checkpoint", "/archive/{tree}.tar.gz", "/healthz"])
def test_head_gives_the_headers_of_get(small: tuple[Running, str], path: str) -> None:
    running, tree = small
    address = running.url + path.replace("{tree}", tree)
    head, whole = http(address, method="HEAD"), http(address)
    assert (head.status, head.body) == (whole.status, b"")
    assert int(whole.headers["content-length"]) == len(whole.body)
    for name in ("content-length", "content-type", "etag", "cache-control"):
        assert head.headers.get(name) == whole.headers.get(name), name


def test_what_was_spooled_is_removed(small: tuple[Running, str], tmp_path: Path) -> None:
    running, _ = small
    left = running.settings.spool / "left-by-a-dead-process"
    settings, owner = new_registry(tmp_path / "data", workers=1)
    (settings.data / "spool").mkdir()
    (settings.spool / left.name).write_bytes(b"x")
    with running_registry(settings, owner):
        assert not (settings.spool / left.name).exists()


def test_the_environment_has_the_path_and_no_length_but_its_own() -> None:
    scope = SimpleNamespace(
        method="POST",
        path="/é",
        query_string="q=1",
        http_version="1.1",
        scheme="http",
        client="127.0.0.1:1",
        server="127.0.0.1:2",
        headers={"content-length": "99", "transfer-encoding": "chunked", "x-a": "b", "content-type": "t"},
    )
    environ = front.environment_of(cast("Any", scope), io.BytesIO(b"abc"))
    assert environ["PATH_INFO"] == "/Ã©"
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"], environ["HTTP_X_A"]) == ("3", "t", "b")
    assert "HTTP_TRANSFER_ENCODING" not in environ
