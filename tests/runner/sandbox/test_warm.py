"""Warm workers: fast, and no call leaves anything for the next one."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.sandbox import Endpoint, Exit, SandboxSpec
from polyphony_runner.sandbox.errors import WarmBootError
from polyphony_runner.sandbox.warm import Request, WarmPool, WarmSpec
from polyphony_runner.sandbox.warm.worker import MAX_AGE, MAX_CALLS, MAX_GROWTH, Worker
from support import sandbox_warm_main
from support.sandbox_box import AS_ROOT, QUICK, SYSTEM_PYTHON, Box, levels, make_box, processes_with
from support.sandbox_driver import portable

MAIN = Path(sandbox_warm_main.__file__).read_bytes()


def warm_spec(here: Box, mode: str = "plain", key: str = "one", **fields: object) -> WarmSpec:
    spec = replace(
        SandboxSpec(("unused",), here.work, limits=QUICK, files={"/main.py": MAIN}),
        **fields,  # type: ignore[arg-type]  # by name
    )
    return WarmSpec(key, spec, SYSTEM_PYTHON, "/main.py", (mode,))


@asynccontextmanager
async def pool_of(here: Box) -> AsyncIterator[WarmPool]:
    pool = WarmPool(here.folder / "warm", level=here.level)
    try:
        yield pool
    finally:
        await pool.close()
        assert list((here.folder / "warm").iterdir()) == []


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


async def call(
    pool: WarmPool, here: Box, code: str = "", *, warm: WarmSpec | None = None, **limits: Any
) -> Exit:
    request = Request(json.dumps({"code": code}).encode() + b"\n", here.work, replace(QUICK, **limits))
    return await pool.call(warm or warm_spec(here), request)


def answer_of(ended: Exit) -> dict[str, Any]:
    assert ended.kind is None, ended
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_calls_share_a_server_but_no_state_no_descriptor_and_no_random_number(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            answers = [answer_of(await call(pool, here)) for _ in range(3)]
            assert len({a["server"] for a in answers}) == 1
            assert [a["calls seen"] for a in answers] == [1, 1, 1]
            assert len({a["random"] for a in answers}) == 3
            assert {tuple(a["fds"]) for a in answers} == {(0, 1, 2)}
            assert [a["cwd"] for a in answers] == ["/ws/call-1", "/ws/call-2", "/ws/call-3"]

    run(test)


def test_a_call_is_much_faster_than_a_start(here: Box) -> None:
    """The quickest of many on each side: 3.5 ms against 60 on an idle machine, and a loaded one slows both."""

    async def seconds(pool: WarmPool, key: str) -> float:
        before = time.perf_counter()
        await call(pool, here, warm=warm_spec(here, key=key))
        return time.perf_counter() - before

    async def test() -> None:
        async with pool_of(here) as pool:
            cold = [await seconds(pool, f"key {number}") for number in range(3)]
            assert min([await seconds(pool, "key 2") for _ in range(30)]) < min(cold) / 2

    run(test)


def test_files_of_the_work_folder_come_back_to_the_caller(here: Box) -> None:
    async def test() -> None:
        (here.work / "given").write_text("in")
        async with pool_of(here) as pool:
            answer_of(await call(pool, here, "open('made', 'w').write(open('given').read() + ' out')"))
        assert (here.work / "made").read_text() == "in out"
        assert (here.work / "made").stat().st_uid == os.geteuid()

    run(test)


def test_nobody_of_a_call_is_alive_at_the_next(here: Box) -> None:
    fork = (
        "\nif os.fork() == 0:\n    os.setsid()\n    os.closerange(0, 3)\n    import time\n    time.sleep(60)"
    )

    async def test() -> None:
        async with pool_of(here) as pool:
            server = answer_of(await call(pool, here, fork))["server"]
            code = "print(len([p for p in os.listdir('/proc') if p.isdigit()]), file=sys.stderr)"
            ended = await call(pool, here, code)
            assert answer_of(ended)["server"] == server
            assert int(ended.stderr) <= 3

    run(test)


@pytest.mark.parametrize("litter", ["/tmp/litter", "/dev/shm/litter"])
def test_litter_retires_the_worker(here: Box, litter: str) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            await call(pool, here, f"open({litter!r}, 'w')")
            seen = await call(pool, here, f"print(os.path.exists({litter!r}), file=sys.stderr)")
            assert seen.stderr == "False\n"

    run(test)


def test_calls_age_and_grown_memory_wear_a_worker_out(tmp_path: Path) -> None:
    spec = WarmSpec("key", SandboxSpec(("unused",), tmp_path), SYSTEM_PYTHON, "/main.py")
    answer: dict[str, object] = {"rc": 0, "rss": MAX_GROWTH, "left": []}

    def worn(*, calls: int = 0, older: float = 0.0, **said: object) -> str:
        one = Worker(spec, "full", tmp_path, None)
        one.calls, one.born = calls, one.born - older
        return one.worn({**answer, **said})

    assert worn(calls=MAX_CALLS - 1) == ""
    assert worn(calls=MAX_CALLS) == worn(older=MAX_AGE) == "its time is over"
    assert worn(rss=MAX_GROWTH + 1) == "its memory grew"


def test_a_worn_worker_takes_no_other_call(here: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyphony_runner.sandbox.warm.worker.MAX_CALLS", 2)

    async def test() -> None:
        async with pool_of(here) as pool:
            served = []
            for _ in range(4):
                assert (await call(pool, here)).kind is None
                served.append([worker.calls for worker in pool._idle])
            assert served == [[1], [], [1], []]

    run(test)


def test_what_a_call_left_is_read_when_nothing_of_its_worker_is_alive(here: Box) -> None:
    """The extension shares the server's interpreter: it can keep a process that holds the folder and goes on writing."""
    keep = """
import time
server = sys.modules["__main__"]
server.clear = server.left_over = list
if os.fork() == 0:
    folder = -1
    while True:
        try:
            folder = os.open("/ws/call-1", os.O_RDONLY) if folder < 0 else folder
            os.close(os.open(f"late-{time.time_ns()}", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        except OSError:
            pass
        time.sleep(0.001)
"""

    async def test() -> None:
        async with pool_of(here) as pool:
            warm = warm_spec(here, mode=keep)
            code = "import time\nos.chmod('.', 0o777)\nwhile not os.listdir('.'): time.sleep(0.01)\nopen('made', 'w').close()"
            first = answer_of(await call(pool, here, code, warm=warm))
            left = sorted(path.name for path in here.work.iterdir())
            await asyncio.sleep(0.05)
            assert sorted(path.name for path in here.work.iterdir()) == left
            assert any(name.startswith("late-") for name in left)
            second = answer_of(await call(pool, here, warm=warm))
            assert second["cwd"] == "/ws/call-1", first

    run(test)


@pytest.mark.parametrize("answer", ["[" * 60_000, '{"rc": -' + "9" * 4300 + "}", "[1]", '{"rc": "0"}'])
def test_a_forged_answer_of_the_server_is_a_crash_of_that_call(here: Box, answer: str) -> None:
    forge = f"""
server = sys.modules["__main__"]
def serve(control, call):
    server.socket.recv_fds(control, 1 << 16, 3)
    control.send({answer.encode()!r})
server.serve = serve
"""

    async def test() -> None:
        async with pool_of(here) as pool:
            ended = await call(pool, here, warm=warm_spec(here, mode=forge))
            assert ended.kind == "crash"
            answer_of(await call(pool, here))

    run(test)


def test_the_server_and_pid_1_cannot_be_looked_into(here: Box) -> None:
    code = """
for pid in {1, os.getppid()}:
    for name in ("mem", "environ"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
            print("opened", pid, name, file=sys.stderr)
        except OSError:
            pass
"""

    async def test() -> None:
        async with pool_of(here) as pool:
            assert (await call(pool, here, code)).stderr == ""

    run(test)


def test_limits_end_the_call_with_their_kind_and_the_next_call_works(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            assert (await call(pool, here, "import time; time.sleep(9)", wall=0.2)).kind == "timeout"
            assert (await call(pool, here, "while True: pass", cpu=1.0)).kind == "cpu"
            assert (await call(pool, here, "os.write(1, b'x' * 99999)", stdout=1000)).kind == "output"
            for _ in range(2):
                assert (await call(pool, here)).kind is None

    run(test)


def test_a_call_that_kills_its_server_is_a_crash_and_the_next_call_works(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            code = "import signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(80)"
            # as pid 1 of its namespace (level full) the server cannot be killed from inside
            mortal = here.level == "full-privileged"
            ended = await call(pool, here, code, wall=60.0 if mortal else 3.0)
            assert ended.kind == ("crash" if mortal else "timeout")
            assert (await call(pool, here)).kind is None

    run(test)


def test_an_exception_is_an_exit_with_its_trace(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            ended = await call(pool, here, "raise ValueError('of the node')")
            assert (ended.kind, ended.status) == ("exit", 1)
            assert "of the node" in ended.stderr

    run(test)


def test_different_keys_never_share_a_server(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            await asyncio.gather(*(call(pool, here, warm=warm_spec(here, key=key)) for key in ("a",)))
            first = pool._idle[0]
            await call(pool, here, warm=warm_spec(here, key="b"))
            assert {worker.warm.key for worker in pool._idle} == {"a", "b"}
            assert first in pool._idle

    run(test)


@pytest.mark.parametrize(("mode", "words"), [("broken", "the import failed"), ("threads", "starts threads")])
def test_an_extension_that_cannot_be_kept_warm_is_reported(here: Box, mode: str, words: str) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            for _ in range(3):
                with pytest.raises(WarmBootError, match=words):
                    await call(pool, here, warm=warm_spec(here, mode))
            with pytest.raises(WarmBootError, match="3 times"):
                await call(pool, here, warm=warm_spec(here, mode))

    run(test)


def test_only_pipes_pass_into_a_worker(here: Box) -> None:
    async def test() -> None:
        (here.folder / "warm").mkdir()
        worker = Worker(warm_spec(here), here.level, here.folder / "warm", None)
        await worker.boot()
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with pytest.raises(ValueError, match="only pipes"):
                worker.send({}, (folder, folder, folder))
        finally:
            os.close(folder)
            await worker.close()

    run(test)


def test_a_cancelled_call_returns_only_when_the_worker_is_dead(here: Box) -> None:
    async def test() -> None:
        async with pool_of(here) as pool:
            marker = here.folder.name
            warm = warm_spec(here, env={"PYTHONNODEBUGRANGES": marker})
            task = asyncio.create_task(call(pool, here, "import time; time.sleep(60)", warm=warm))
            while not pool._busy:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert pool._idle == []
        assert processes_with(marker) == []

    run(test)


@pytest.mark.skipif("full" not in levels() or not AS_ROOT, reason="the other tests run at level full already")
def test_the_rootless_level_keeps_its_workers_apart_too() -> None:
    peek = """
for pid in {1, os.getppid()}:
    for name in ("mem", "environ"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
            print("opened", pid, name, file=sys.stderr)
        except OSError:
            pass
"""
    kill = "import signal, time; os.kill(os.getppid(), signal.SIGKILL); print('lives', file=sys.stderr)"
    codes = [
        "",
        peek,
        kill,
        "open('/tmp/litter', 'w')",
        "print(os.path.exists('/tmp/litter'), file=sys.stderr)",
    ]
    with make_box("full") as box:
        first, peeked, killed, _, last = pickle.loads(
            box.driven("sandbox_warm_driver", portable((box.folder, codes)))
        )
    assert answer_of(first)["server"] == answer_of(killed)["server"] == 1
    assert peeked.stderr == ""
    assert killed.stderr == "lives\n"
    assert last.stderr == "False\n"


def test_connections_belong_to_the_call_that_made_them_and_end_with_it(here: Box) -> None:
    connect = """
import socket
peer = socket.create_connection(("127.0.0.1", 3128))
peer.sendall(b"CONNECT {host}:443 HTTP/1.1\\r\\n\\r\\n")
print(peer.recv(12).decode(), file=sys.stderr)
"""

    async def test() -> None:
        endpoints = (Endpoint("granted.example", 443),)
        async with pool_of(here) as pool:
            warm = warm_spec(here, endpoints=endpoints)
            for host in ("one.example", "two.example"):
                ended = await call(pool, here, connect.replace("{host}", host), warm=warm)
                assert ended.stderr == "HTTP/1.1 403\n"
                assert [(c.host, c.verdict) for c in ended.connections] == [(host, "refused")]
            assert (await call(pool, here, warm=warm)).connections == ()

    run(test)
