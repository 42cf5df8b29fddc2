"""The contract of ``ResultStore``: whole entries or none, one holder of a claim, who dies with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polyphony_runner.cache.key import CacheKey
from polyphony_runner.cache.store import Entry, FolderResults, KnownKey, ResultStore

KEY = "ab" * 32
# Every implementation is made of a folder, as often as a process would.
STORES: dict[str, Callable[[Path], ResultStore]] = {"folder": FolderResults}


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ResultStore]:
    return lambda: STORES[request.param](tmp_path / "results")


def test_an_entry_is_read_as_it_was_written(opened: Callable[[], ResultStore]) -> None:
    assert opened().read(KEY) is None
    entry = Entry(KEY, {"outputs": {"value": "\ud800 é"}}, {"run": "r", "node": "a", "at": 1})
    opened().write(entry)
    assert opened().read(KEY) == entry
    later = Entry(KEY, {"outputs": {}}, {"run": "s", "node": "a", "at": 2})
    opened().write(later)
    assert opened().read(KEY) == later


def test_keys_are_found_by_extension_the_newest_first(opened: Callable[[], ResultStore]) -> None:
    keys = [CacheKey(digit * 64, {"inputs.n": digit}, "ada/step") for digit in "12"]
    for number, key in enumerate(keys):
        opened().remember(KnownKey(key, {"run": "r", "node": "a", "at": number}))
    opened().remember(KnownKey(CacheKey("3" * 64, {}, "ada/other"), {"run": "r", "node": "a", "at": 3}))
    assert {one.key.digest for one in opened().keys("ada/step")} == {key.digest for key in keys}
    opened().remember(KnownKey(keys[0], {"run": "later", "node": "b", "at": 9}))
    (first,) = (one for one in opened().keys("ada/step") if one.key == keys[0])
    assert first.asked["run"] == "r"


def test_a_claim_has_one_holder(opened: Callable[[], ResultStore]) -> None:
    claim = opened().claim(KEY)
    assert claim is not None
    assert opened().claim(KEY) is None
    other = opened().claim("cd" * 32)
    assert other is not None
    claim.release()
    claim.release()
    again = opened().claim(KEY)
    assert again is not None
    again.release()
    other.release()


def test_a_claim_dies_with_its_holder(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import sys, pathlib\n"
                "from polyphony_runner.cache.store import FolderResults\n"
                "claim = FolderResults(pathlib.Path(sys.argv[1])).claim(sys.argv[2])\n"
                "print('held', flush=True)\n"
                "sys.stdin.read()\n"
            ),
            str(tmp_path / "results"),
            KEY,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    store = FolderResults(tmp_path / "results")
    assert store.claim(KEY) is None
    holder.kill()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()
    claim = store.claim(KEY)
    assert claim is not None
    claim.release()


@pytest.mark.parametrize("damage", [b"", b"{}", b"0" * 64 + b"\n{}", b"\xff\xfe"])
def test_a_damaged_file_is_no_entry(tmp_path: Path, damage: bytes) -> None:
    store = FolderResults(tmp_path)
    store.write(Entry(KEY, {"outputs": {}}, {}))
    (place,) = tmp_path.rglob("*.json")
    place.write_bytes(damage)
    assert store.read(KEY) is None
