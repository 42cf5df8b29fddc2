"""Level landlock: no namespaces, and still nothing that was not granted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.sandbox import Endpoint, Limits, Mount, landlock, run_sandboxed
from polyphony_runner.sandbox.cgroup import own_layout
from polyphony_runner.sandbox.errors import SandboxError, SandboxUnavailableError
from polyphony_runner.sandbox.host_places import HostPlaces
from polyphony_runner.sandbox.levels import Needs, lacks
from polyphony_runner.sandbox.process import SandboxProcess
from polyphony_runner.sandbox.spec import SandboxSpec
from support.sandbox_box import QUICK, SYSTEM_PYTHON, Box, make_box, other_users, processes_with

kernel = pytest.mark.skipif(
    landlock.abi() < landlock.OLDEST_ABI, reason=f"this kernel has Landlock {landlock.abi()}"
)


@pytest.fixture(params=other_users(), ids=lambda other: "other user" if other else "this user")
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with make_box("landlock", as_other=request.param) as made:
        yield made


ESCAPES = """
import ctypes, errno, json, os, resource, signal, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def said(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "allowed"
fds = [n for n in range(50) if said(lambda: os.fstat(n)) == "allowed"]
host, folder, victim = sys.argv[1][1:], sys.argv[2][1:], int(sys.argv[3])
def datagram():
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"out", folder + "/socket")
def thread():
    made = threading.Thread(target=int); made.start(); made.join()
calls = {
    "read": lambda: open(host),
    "append": lambda: open(host, "a"),
    "truncate": lambda: os.truncate(host, 0),
    "list": lambda: os.listdir(folder),
    "make": lambda: open(folder + "/made", "w"),
    "remove": lambda: os.unlink(host),
    "rename in": lambda: os.rename(host, "taken"),
    "rename out": lambda: (open("mine", "w").close(), os.rename("mine", folder + "/mine")),
    "link in": lambda: os.link(host, "linked"),
    "chmod": lambda: os.chmod(host, 0o777),
    "chown": lambda: os.chown(host, os.getuid(), -1),
    "utime": lambda: os.utime(host),
    "setxattr": lambda: os.setxattr(host, "user.x", b"1"),
    "through a link": lambda: (os.symlink(host, "link"), open("link")),
    "through an open directory": lambda: os.open("secret", 0, dir_fd=os.open(folder, os.O_PATH)),
    "execute": lambda: os.execv(folder + "/program", ["program"]),
    "device": lambda: os.mknod("null", 0o020666, os.makedev(1, 3)),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "tcp": lambda: socket.socket(socket.AF_INET),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "netlink": lambda: socket.socket(socket.AF_NETLINK),
    "datagram pair": datagram,
    "signal": lambda: os.kill(victim, signal.SIGTERM),
    "signal by descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGTERM),
    "bound another": lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (1, 1)),
    "slow another down": lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
    "move another": lambda: os.sched_setaffinity(victim, {0}),
    "memory of another": lambda: open(f"/proc/{victim}/mem"),
    "environment of another": lambda: open(f"/proc/{victim}/environ"),
    "watch": lambda: libc.syscall(254 if os.uname().machine == "x86_64" else 27, 0, host.encode(), 2) < 0
        and (_ for _ in ()).throw(OSError(ctypes.get_errno(), "")),
    "unshare": lambda: libc.unshare(0x10000000) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), "")),
    "own file": lambda: open("own", "w").write("x"),
    "own temporary file": lambda: open(os.environ["TMPDIR"] + "/own", "w").write("x"),
    "own thread": thread,
    "own priority": lambda: os.nice(1),
    "own limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "stream pair": socket.socketpair,
}
os.kill(-1, signal.SIGTERM)  # reaches nobody: whoever waits for this program goes on
own = ("own file", "own temporary file", "own thread", "own priority", "own limit", "stream pair")
print(json.dumps({
    "said": {name: said(call) for name, call in calls.items()},
    "own": own,
    "uid": os.getuid(),
    "fds": fds,
    "environment": sorted(os.environ),
    "root": os.environ["POLYPHONY_ROOT"],
}))
"""


@pytest.fixture
def report(box: Box) -> dict[str, Any]:
    """What a program found that tries everything on a folder of the host that was not granted."""
    folder = box.folder / "host"
    folder.mkdir()
    (folder / "secret").write_text("of the host")
    (folder / "program").write_text("#!/bin/sh\necho ran\n")
    (folder / "program").chmod(0o755)
    if not box.in_process:
        for path in (folder, *folder.iterdir()):
            os.chown(path, box.folder.stat().st_uid, box.folder.stat().st_gid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        listening.setblocking(False)
        words = (f"@{folder / 'secret'}", f"@{folder}", str(os.getpid()))
        ended = box.run(SYSTEM_PYTHON, "-I", "-S", "-c", ESCAPES, *words)
        assert ended.kind is None, ended.stderr
        with pytest.raises(BlockingIOError):
            listening.recv(10)
    assert sorted(path.name for path in folder.iterdir()) == ["program", "secret", "socket"]
    assert (folder / "secret").read_text() == "of the host"
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@kernel
def test_nothing_of_the_host_is_read_changed_or_signalled(report: dict[str, Any]) -> None:
    own = set(report["own"])
    assert {name: said for name, said in report["said"].items() if name in own} == dict.fromkeys(
        own, "allowed"
    )
    others = {name: said for name, said in report["said"].items() if name not in own}
    refusals = {"EACCES", "EPERM", "EXDEV", "EAFNOSUPPORT"}
    assert {name: said for name, said in others.items() if said not in refusals} == {}


@kernel
def test_it_is_no_root_and_inherits_nothing(report: dict[str, Any]) -> None:
    assert report["uid"] != 0
    assert report["fds"] == [0, 1, 2]
    assert not {"POLYPHONY_HOME", "PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & set(report["environment"])
    assert not Path(report["root"]).exists(), "the view is gone with the program"


@kernel
def test_what_is_shown_is_found_at_its_place_inside(box: Box) -> None:
    shown = box.folder / "shown"
    shown.mkdir(mode=0o755)
    (shown / "note").write_text("to read")
    code = (
        "import sys; print(open(sys.argv[1]).read(), open(sys.argv[2]).read()); open(sys.argv[1] + 'x', 'w')"
    )
    ended = box.run(
        SYSTEM_PYTHON, "-I", "-S", "-c", code, "/src/note", "/data",
        mounts=(Mount(shown, "/src"),), files={"/data": b"made of bytes"},
    )  # fmt: skip
    assert ended.stdout == b"to read made of bytes\n"
    assert "PermissionError" in ended.stderr
    assert not (shown / "notex").exists()
    assert any("Landlock" in note for note in ended.notes)


@kernel
def test_a_private_copy_and_the_work_folder_can_be_written(box: Box) -> None:
    shown = box.folder / "shown"
    shown.mkdir(mode=0o755)
    (shown / "note").write_text("before")
    script = 'echo after > "$1" && cat "$1" && mkdir -p a/b && mv a/b c && pwd'
    ended = box.run("sh", "-c", script, "sh", "/src/note", mounts=(Mount(shown, "/src", "copy"),))
    assert ended.kind is None, ended.stderr
    assert ended.stdout == f"after\n{box.work}\n".encode()
    assert (shown / "note").read_text() == "before"
    assert (box.work / "c").is_dir()


@kernel
def test_a_direct_write_reaches_the_host_and_leaves_it_to_its_owner(box: Box) -> None:
    shown = box.folder / "shown"
    shown.mkdir(mode=0o755)
    owner = box.folder.stat().st_uid
    os.chown(shown, owner, owner)
    ended = box.run(
        "sh", "-c", 'echo new > "$1"', "sh", "/ws/shown/file", mounts=(Mount(shown, "/ws/shown", "rw"),)
    )
    assert ended.kind is None, ended.stderr
    assert (shown / "file").read_text() == "new\n"
    assert (shown / "file").stat().st_uid == owner


@kernel
def test_no_process_outlives_it(box: Box) -> None:
    marker = f"landlock-{box.folder.name}"
    daemon = f"(setsid sh -c 'sleep 300 # {marker}' >/dev/null 2>&1 &)"
    assert box.run("sh", "-c", f"{daemon}; {daemon}; echo up").stdout == b"up\n"
    assert processes_with(marker) == []
    ended = box.run("sh", "-c", f"{daemon}; sleep 300", limits=replace(QUICK, wall=1.0))
    assert ended.kind == "timeout"
    assert processes_with(marker) == []


@kernel
@pytest.mark.skipif(own_layout().folder is None, reason="no control group may be made here")
def test_whoever_kills_the_supervisor_frees_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel may, out of memory: the group is what is left that holds the tree together."""
    with make_box("landlock") as box:
        marker = f"landlock-{box.folder.name}"
        released = SandboxProcess.release

        def release(self: SandboxProcess) -> None:
            released(self)
            while not processes_with(marker):
                time.sleep(0.01)
            os.kill(self.pid, signal.SIGKILL)

        monkeypatch.setattr(SandboxProcess, "release", release)
        ended = box.run("sh", "-c", f"setsid sh -c 'sleep 300; : {marker}' & wait")
        assert ended.kind is not None
        assert processes_with(marker) == []


@kernel
def test_who_forks_without_end_is_ended_too() -> None:
    bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"
    with make_box("landlock", as_other=other_users()[-1]) as box:
        ended = box.python(f"{bomb}# {box.folder.name}", limits=replace(QUICK, wall=1.0, processes=16))
        assert ended.kind in ("timeout", "processes"), ended
        assert processes_with(box.folder.name) == []


FORKS = "import os, time\nfor _ in range(400):\n  if os.fork() == 0: time.sleep(60); os._exit(0)\n"


@kernel
@pytest.mark.parametrize(
    ("kind", "code", "limit"),
    [
        ("memory", "b = bytearray(300 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1", {"memory": 64 << 20}),
        ("processes", FORKS, {"processes": 16}),
        ("cpu", "while True: pass", {"cpu": 1.0}),
        ("disk", "open('big', 'wb').write(bytes(9 << 20))", {"file_size": 8 << 20}),
        ("disk", "import os\nfor i in range(99): open(os.environ['TMPDIR'] + f'/{i}', 'wb').write(bytes(1 << 20))",
         {"disk": 16 << 20}),
        ("output", "while True: print('x' * 4096)", {"stdout": 1 << 16}),
        ("crash", "import os; os.abort()", {}),
        ("exit", "raise SystemExit(3)", {}),
    ],
)  # fmt: skip
def test_each_limit_ends_it_with_its_own_kind(kind: str, code: str, limit: dict[str, Any]) -> None:
    # the kernel counts processes per user: as root a user of the pool, else the one whose others run too
    with make_box("landlock", as_other=other_users()[-1] if kind == "processes" else False) as box:
        limited(box, kind, code, replace(QUICK, **limit))


def limited(box: Box, kind: str, code: str, bounds: Limits) -> None:
    ended = box.python(code, limits=bounds)
    assert (ended.kind, ended.status if kind == "exit" else None) == (kind, 3 if kind == "exit" else None), (
        ended
    )


@kernel
def test_what_the_level_cannot_keep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    for fields in (
        {"endpoints": (Endpoint("example.com", 443),)},
        {"secrets": {"TOKEN": b"secret-value"}},
        {"mounts": (Mount(tmp_path, "/ws/a", "rw"), Mount(tmp_path / ".git", "/ws/a/.git"))},
    ):
        spec = replace(SandboxSpec(("true",), tmp_path / "ws"), **fields)
        with pytest.raises(SandboxUnavailableError) as refused:
            asyncio.run(run_sandboxed(spec, level="landlock"))
        assert refused.value.code == "PLY3800"
    nested = (Mount(tmp_path, "/a"), Mount(tmp_path / "ws", "/a/ws"))
    with pytest.raises(SandboxError) as caught:
        asyncio.run(run_sandboxed(SandboxSpec(("true",), tmp_path / "ws", mounts=nested), level="landlock"))
    assert caught.value.code == "PLY3800"


def test_levels_say_what_they_lack() -> None:
    everything = Needs(network=True, secrets=True, guarded_writes=True)
    assert (
        lacks("full", everything) == lacks("full-privileged", everything) == lacks("none", everything) == ""
    )
    assert "network" in lacks("landlock", everything)
    assert "secrets" in lacks("landlock", Needs(secrets=True))
    assert "WebAssembly" in lacks("wasm", Needs())
    assert lacks("wasm", Needs(wasm=True)) == lacks("landlock", Needs()) == ""


def test_places_are_translated_there_and_back(tmp_path: Path) -> None:
    spec = SandboxSpec(
        ("true",), tmp_path / "ws", mounts=(Mount(tmp_path, "/ext"), Mount(tmp_path, str(tmp_path)))
    )
    places = HostPlaces.of(spec)
    view = tmp_path / ".view-ws"
    assert places.path("/ext/run.py") == f"{view}/ext/run.py"
    assert places.inside(f"{view}/ext/run.py") == "/ext/run.py"
    assert places.path("/ws/x") == str(tmp_path / "ws" / "x")
    assert places.path(places.path("/tmp/x")) == f"{view}/tmp/x", "once is enough, wherever the view lies"
    assert places.path("/extra") == "/extra"
    assert places.path(str(tmp_path / "x")) == str(tmp_path / "x")
    assert places.paths("/ext/bin:/usr/bin") == f"{view}/ext/bin:/usr/bin"
