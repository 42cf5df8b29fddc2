"""Locks among the runs of one home: one holder over processes, first come first served, freed by death."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyphony_runner.conductor.lock_keeper import MemoryLocks, SharedLocks
from polyphony_runner.runs.shared_locks import FileLocks

CHILD = """\
import asyncio, sys
from pathlib import Path
from polyphony_runner.runs.shared_locks import FileLocks

async def main():
    release = await FileLocks(Path(sys.argv[1])).acquire("deploy")
    print("held", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.fixture(params=["memory", "file"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> SharedLocks:
    return MemoryLocks() if request.param == "memory" else FileLocks(tmp_path / "locks")


def test_one_at_a_time_in_the_order_of_asking(locks: SharedLocks) -> None:
    order: list[int] = []
    inside = 0

    async def one(number: int) -> None:
        nonlocal inside
        release = await locks.acquire("deploy")
        inside += 1
        assert inside == 1
        order.append(number)
        await asyncio.sleep(0.001)
        inside -= 1
        release()

    async def everybody() -> None:
        await asyncio.gather(*(one(number) for number in range(6)))

    asyncio.run(everybody())
    assert order == list(range(6))


def test_names_are_independent(locks: SharedLocks) -> None:
    async def both() -> None:
        async with asyncio.timeout(60):
            await locks.acquire("one")
            await locks.acquire("two")

    asyncio.run(both())


def test_who_is_cancelled_leaves_the_line(locks: SharedLocks) -> None:
    async def play() -> None:
        release = await locks.acquire("deploy")
        waiting = asyncio.ensure_future(locks.acquire("deploy"))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release()
        async with asyncio.timeout(60):
            (await locks.acquire("deploy"))()

    asyncio.run(play())


def test_a_process_that_is_killed_loses_its_lock_and_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "locks"

    def child() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)

    def tickets() -> int:
        return sum(path.name[0].isdigit() for path in folder.glob("*/*"))

    with child() as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with child() as waiter:
            end = time.monotonic() + 60
            while tickets() == 0:
                assert time.monotonic() < end
                time.sleep(0.01)
            waiter.send_signal(signal.SIGKILL)
            waiter.wait()
            holder.send_signal(signal.SIGKILL)
            holder.wait()

            async def acquire() -> None:
                async with asyncio.timeout(60):
                    (await FileLocks(folder).acquire("deploy"))()

            asyncio.run(acquire())
    assert tickets() == 0
