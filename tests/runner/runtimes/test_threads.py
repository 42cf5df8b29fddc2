"""Blocking work and cancellation."""

from __future__ import annotations

import asyncio
import threading

import pytest

from polyphony_runner.runtimes.threads import in_thread


def test_a_cancelled_caller_waits_for_the_end_of_the_work() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        begun.set()
        assert go_on.wait(10)
        done.append("whole")

    async def run() -> None:
        task = asyncio.ensure_future(in_thread(work))
        await asyncio.to_thread(begun.wait, 10)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["whole"]

    asyncio.run(run())


def test_results_and_errors_pass_through() -> None:
    assert asyncio.run(in_thread(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid"):
        asyncio.run(in_thread(int, "x"))
