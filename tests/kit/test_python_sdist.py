"""Downloading one source distribution."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.package_index import IndexSettings
from support.kit_packages import Kit
from support.runtimes_index import Index, serving


def archive(*members: tuple[str, str, bytes]) -> bytes:
    """A tar.gz of (path, type, content or target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        for path, kind, data in members:
            member = tarfile.TarInfo(path)
            member.type = kind.encode()
            if kind == "0":
                member.size, member.mode = len(data), 0o755 if path.endswith(".sh") else 0o600
            else:
                member.linkname = data.decode()
            out.addfile(member, io.BytesIO(data) if kind == "0" else None)
    return buffer.getvalue()


GOOD = archive(
    ("my_demo-1.0/setup.py", "0", b"raise SystemExit('never run')"),
    ("my_demo-1.0/bin/x.sh", "0", b"#!/bin/sh\n"),
    ("my_demo-1.0/../../escape", "0", b"no"),
    ("/tmp/absolute", "0", b"inside"),
    ("my_demo-1.0/link", "2", b"/etc/passwd"),
)


class JsonIndex(Index):
    """The same index, PEP 691."""

    def page(self, project: str) -> bytes | None:
        files = self.files.get(project)
        if files is None:
            return None
        entries = [{"filename": name, "url": f"../../files/{project}/{name}"} for name in files]
        return json.dumps({"files": entries}).encode()


PAGE_TYPES = {Index: "text/html", JsonIndex: "application/vnd.pypi.simple.v1+json"}


@pytest.fixture(params=[Index, JsonIndex])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    with serving(request.param(page_type=PAGE_TYPES[request.param])) as running:
        running.add("my-demo", ("my_demo-1.0.tar.gz", GOOD))
        running.add("pip", ("pip-1.0.tar.gz", b""))
        yield running


def asked(data: bytes = GOOD, version: str = "1.0") -> dict[str, Any]:
    return {"parameters": {"name": "My.Demo", "version": version, "sha256": hashlib.sha256(data).hexdigest()}}


def test_unpacks_regular_files_alone_and_runs_nothing(project: Path, index: Index) -> None:
    kit = Kit(project, IndexSettings(indexes=(index.url,)))
    given = kit.succeed("python-sdist", **asked())
    folder = kit.folder(given["source"])
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    assert found == {"setup.py", "bin/x.sh", "absolute"}
    assert (folder / "bin/x.sh").stat().st_mode & 0o111
    assert not (folder / "setup.py").stat().st_mode & 0o111
    assert given["file"] == "my_demo-1.0.tar.gz"


def test_another_digest_is_refused(project: Path, index: Index) -> None:
    kit = Kit(project, IndexSettings(indexes=(index.url,)))
    failed = kit.fail("python-sdist", **asked(b"other"))
    assert failed.kind == "validation"
    assert hashlib.sha256(GOOD).hexdigest() in failed.message


def test_a_version_that_nobody_has_is_said_so(project: Path, index: Index) -> None:
    kit = Kit(project, IndexSettings(indexes=(index.url,)))
    failed = kit.fail("python-sdist", **asked(version="9"))
    assert "no index of this machine has" in failed.message
    assert not failed.retryable


def test_a_broken_archive_is_refused(project: Path) -> None:
    with serving(Index()) as index:
        index.add("my-demo", ("my_demo-1.0.tar.gz", GOOD[:80]))
        kit = Kit(project, IndexSettings(indexes=(index.url,)))
        failed = kit.fail("python-sdist", **asked(GOOD[:80]))
    assert (failed.kind, failed.retryable) == ("validation", False)


def test_credentials_and_folders_are_understood(project: Path, tmp_path: Path) -> None:
    with serving(Index(password="hidden-word-1")) as index:
        index.add("my-demo", ("my_demo-1.0.tar.gz", GOOD))
        Kit(project, IndexSettings(indexes=(index.url,))).succeed("python-sdist", **asked())
    links = tmp_path / "links"
    links.mkdir()
    (links / "my_demo-1.0.tar.gz").write_bytes(GOOD)
    local = Kit(project, IndexSettings(indexes=(), find_links=(str(links),)))
    local.succeed("python-sdist", **asked())
