"""What a hostile node tries, and the typed error at the node that answers it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from polyphony_schemas.graph.model import Limits
from support.runtimes_index import Index, serving
from support.runtimes_nodes import Bench
from support.sandbox_box import processes_with

ANY: dict[str, object] = {"schema": {}}
FREE = {"outputs": {"out": ANY}, "inputs": {"x": ANY}}
# A number no other process shows, so that a survivor would be found by it.
MARK = "9{:08d}"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_home_and_other_files_of_the_host_are_not_there(bench: Bench) -> None:
    uses = bench.python("def main(i, p, t, c):\n    return {'out': open(i['x']).read()}\n", **FREE)
    (bench.root / "secret.txt").write_text("private")
    for path in (bench.root / "secret.txt", Path.home() / "x", Path("/etc/shadow"), Path("/root/.bashrc")):
        failure = bench.fail(uses, inputs={"x": str(path)})
        assert failure.kind == "exit"
        assert "No such file" in failure.message


def test_only_its_own_processes_are_seen(bench: Bench) -> None:
    uses = bench.python(
        "import os\ndef main(i, p, t, c):\n    return {'out': [n for n in os.listdir('/proc') if n.isdigit()]}\n",
        **FREE,
    )
    seen = bench.succeed(uses)["out"]
    assert isinstance(seen, list)
    assert len(seen) <= 4


def test_the_network_is_not_reached_without_a_grant(bench: Bench) -> None:
    source = "import urllib.request\ndef main(i, p, t, c):\n    return {'out': urllib.request.urlopen(i['x'], timeout=5).status}\n"
    uses = bench.python(source, **FREE)
    with serving(Index()) as server:
        url = f"http://127.0.0.1:{server.port}"
        failure = bench.fail(uses, inputs={"x": f"{url}/simple/none/"})
        granted = bench.fail(uses, inputs={"x": f"{url}/simple/none/"}, grants={"network": (url,)})
    assert failure.kind == "exit"
    assert "404" in granted.message
    assert server.requests == ["/simple/none/"]
    (connection,) = [event.data for event in bench.events if event.type == "connection"]
    assert (connection["host"], connection["verdict"]) == ("127.0.0.1", "allowed")


def test_forking_without_end_is_stopped(bench: Bench) -> None:
    source = "import os, time\ndef main(i, p, t, c):\n    while True:\n        if os.fork() == 0:\n            time.sleep(60)\n"
    failure = bench.fail(bench.python(source), limits=Limits(timeout_ms=60_000, processes=20))
    assert failure.kind == "processes"


def test_filling_the_disk_is_stopped(bench: Bench) -> None:
    source = "def main(i, p, t, c):\n    n = 0\n    while True:\n        n += 1\n        open(f'f{n}', 'wb').write(bytes(1 << 20))\n"
    failure = bench.fail(bench.python(source), limits=Limits(timeout_ms=60_000, disk=8 << 20))
    assert failure.kind == "disk"
    assert not list((bench.home.cache / "work").rglob("*"))


def test_one_large_file_is_stopped(bench: Bench) -> None:
    source = "def main(i, p, t, c):\n    open('f', 'wb').write(bytes(16 << 20))\n"
    assert bench.fail(bench.python(source), limits=Limits(timeout_ms=60_000, disk=8 << 20)).kind == "disk"


def test_memory_is_bounded(bench: Bench) -> None:
    source = "def main(i, p, t, c):\n    return {'out': len(bytearray(1 << 30))}\n"
    failure = bench.fail(bench.python(source, **FREE), limits=Limits(timeout_ms=60_000, memory=128 << 20))
    assert failure.kind == "memory"


def test_the_time_is_bounded_and_nothing_outlives_it(bench: Bench) -> None:
    mark = MARK.format(os.getpid())
    source = (
        "import subprocess, time\ndef main(i, p, t, c):\n"
        f"    subprocess.Popen(['setsid', 'sleep', '{mark}'], start_new_session=True)\n"
        "    time.sleep(i['x'])\n    return {}\n"
    )
    uses = bench.python(source, **FREE)
    failure = bench.fail(uses, inputs={"x": 60}, limits=Limits(timeout_ms=700))
    assert failure.kind == "timeout"
    assert processes_with(mark) == []
    assert bench.succeed(uses, inputs={"x": 0}) == {}
    assert processes_with(mark) == []


def test_cancelling_ends_the_whole_tree_first(bench: Bench) -> None:
    mark = MARK.format(os.getpid() + 1)
    uses = bench.extension("sleeper", run={"command": ["sleep", mark]})

    async def cancelled() -> None:
        task = asyncio.ensure_future(bench.run(uses, limits=Limits(timeout_ms=60_000)))
        while not processes_with(mark):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_with(mark) == []
        assert not list((bench.home.cache / "work").glob("*/node-*/ws/*"))

    asyncio.run(cancelled())


def test_a_signal_is_a_crash(bench: Bench) -> None:
    source = f"import os\ndef main(i, p, t, c):\n    os.kill(os.getpid(), {int(signal.SIGSEGV)})\n"
    assert bench.fail(bench.python(source)).kind == "crash"


def test_too_much_output_is_stopped(bench: Bench) -> None:
    line = bench.extension("line", run={"process": ["head", "-c", "3000000", "/dev/zero"]})
    assert bench.fail(line).kind == "output"
    many = bench.extension(
        "many",
        {"bin/say": '#!/bin/sh\nyes \'{"type":"log","message":"x"}\' | head -n 11000\n'},
        run={"process": ["bin/say"]},
    )
    assert bench.fail(many).kind == "output"


def test_what_a_node_leaves_never_blocks_or_misleads_the_host(bench: Bench) -> None:
    file = {"schema": {"$ref": "urn:polyphony:file"}}
    source = (
        "import os\ndef main(i, p, t, c):\n"
        "    {'fifo': lambda: os.mkfifo('/out/f'), 'link': lambda: os.symlink('/etc/passwd', '/out/f'),\n"
        "     'hard': lambda: (open('a', 'w').close(), os.link('a', 'b'), os.symlink('../b', '/out/f')),\n"
        "     'folder': lambda: (os.mkdir('/out/f'), open('/out/f/a', 'w'), open('/out/f/b', 'w'))}[i['x']]()\n"
    )
    uses = bench.python(source, inputs={"x": ANY}, outputs={"f": file})
    for kind in ("fifo", "link", "hard", "folder"):
        assert bench.fail(uses, inputs={"x": kind}).kind == "validation", kind


def test_an_artifact_nobody_gave_it_cannot_be_claimed(bench: Bench) -> None:
    kept = bench.artifacts.put_bytes(b"of another run")
    reference = {"digest": kept.digest, "name": "x", "media_type": "text/plain", "size": 14}
    uses = bench.python(
        "def main(i, p, t, c):\n    return {'f': i['x']}\n",
        inputs={"x": ANY},
        outputs={"f": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    assert bench.fail(uses, inputs={"x": reference}).kind == "validation"


def test_a_claim_that_is_no_digest_is_refused_too(bench: Bench) -> None:
    uses = bench.python(
        "def main(i, p, t, c):\n    return {'f': {'digest': ['x']}}\n",
        outputs={"f": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    assert bench.fail(uses).kind == "validation"


def test_holes_do_not_make_an_artifact_larger_than_the_disk_limit(bench: Bench) -> None:
    uses = bench.python(
        """
import os
def main(i, p, t, c):
    os.mkdir('/out/d')
    for name in range(20):
        with open(f'/out/d/{name}', 'wb') as file:
            file.truncate(1 << 20)
    return {}
""",
        outputs={"d": {"schema": {"$ref": "urn:polyphony:directory"}}},
    )
    failure = bench.fail(uses, limits=Limits(timeout_ms=60_000, disk=8 << 20))
    assert failure.details["code"] == "PLY3411"
    assert bench.succeed(uses, limits=Limits(timeout_ms=60_000, disk=32 << 20))["d"]


def test_a_passed_deadline_and_an_unknown_package_are_failures(bench: Bench) -> None:
    from datetime import UTC, datetime, timedelta

    uses = bench.python("def main(i, p, t, c):\n    return {}\n")
    late = bench.fail(uses, deadline=datetime.now(UTC) - timedelta(seconds=1))
    unknown = bench.fail("acme/unknown@^1")
    assert (late.kind, unknown.kind, unknown.retryable) == ("timeout", "dependency", False)


@pytest.mark.parametrize("mark", ["file", "directory"])
@pytest.mark.parametrize("what", ["file", "link", "dangling", "circle", "pipe", "gone", "other"])
def test_what_replaces_the_output_folder_is_an_invalid_output(bench: Bench, what: str, mark: str) -> None:
    source = (
        "import os\ndef main(i, p, t, c):\n    o = '/ws/.out'\n    os.rename(o, '/ws/old')\n"
        "    {'file': lambda: open(o, 'w').close(), 'link': lambda: os.symlink('/etc', o),\n"
        "     'dangling': lambda: os.symlink('nowhere', o), 'circle': lambda: os.symlink('.out', o),\n"
        "     'pipe': lambda: os.mkfifo(o), 'gone': lambda: None,\n"
        "     'other': lambda: (os.mkdir(o), os.symlink('/etc/passwd', o + '/f'))}[i['x']]()\n"
        "    return {}\n"
    )
    outputs = {"f": {"schema": {"$ref": f"urn:polyphony:{mark}"}}}
    uses = bench.python(source, inputs={"x": ANY}, outputs=outputs)
    if what == "gone":  # no output was left, and none is required
        assert bench.succeed(uses, inputs={"x": what}) == {}
        return
    failure = bench.fail(uses, inputs={"x": what})
    assert failure.kind == "validation", failure.message
    assert str(bench.root) not in failure.message
