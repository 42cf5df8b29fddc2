"""The run key of a home is one key, whoever makes it."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event

import pytest

from polyphony_runner.runs import head


def test_two_first_runs_at_once_sign_with_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together, turns, one_has_its_key, make = Barrier(2, timeout=0.5), itertools.count(), Event(), head._make

    def make_in_turn(path: Path) -> None:
        with suppress(BrokenBarrierError):  # something keeps them apart
            together.wait()
        if next(turns):
            one_has_its_key.wait(5)
        make(path)

    monkeypatch.setattr(head, "_make", make_in_turn)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(head.run_key, tmp_path / "keys") for _ in range(2)]
        for future in asked:
            future.add_done_callback(lambda _: one_has_its_key.set())
    assert len({future.result().public_key().public_bytes_raw() for future in asked}) == 1
    assert (tmp_path / "keys/run.pem").stat().st_mode & 0o777 == 0o600
