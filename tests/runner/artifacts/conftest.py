"""The stores that the contract test runs on; a bucket only where the extra ``s3`` and the test server are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from polyphony_runner.artifacts.places import open_store
from polyphony_runner.artifacts.protocol import CollectableStore
from support.s3_server import S3Server, s3_server

STORES = ["folder"]
# The runner alone has neither: its extra is not installed there.
if find_spec("obstore") is None or find_spec("moto") is None:
    collect_ignore = ["test_s3.py"]
else:
    STORES.append("s3")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CollectableStore:
    copies = tmp_path / "artifacts"
    if request.param == "folder":
        return open_store(str(copies), tmp_path / "unused", {})
    running: S3Server = request.getfixturevalue("server")
    for name, value in running.environ.items():
        monkeypatch.setenv(name, value)
    return open_store(f"s3://{running.new_bucket()}/some/prefix", copies, running.environ)
