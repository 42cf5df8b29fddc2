"""Identities of files and folders: the same as git's, read anew unless nothing can have changed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from polyphony_runner.cache.content import ContentDigests
from polyphony_runner.cache.errors import NotCacheableError


def later() -> int:
    """A moment at which what was just written is old."""
    return time.time_ns() + 60_000_000_000


@pytest.fixture
def content(tmp_path: Path) -> ContentDigests:
    return ContentDigests(tmp_path / "digests", later)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "run.sh").write_text("#!/bin/sh\n")
    (root / "a" / "b" / "run.sh").chmod(0o755)
    (root / "a.txt").write_text("text\n")
    (root / "link").symlink_to("a.txt")
    return root


def test_a_folder_has_the_tree_id_that_git_gives_it(content: ContentDigests, folder: Path) -> None:
    for words in (["init", "-q", "--object-format=sha256"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    tree = subprocess.run(["git", "write-tree"], cwd=folder, check=True, capture_output=True, text=True)
    assert content.of_extension(folder) == tree.stdout.strip()
    (folder / "__pycache__").mkdir()
    content.forget()
    assert content.of_extension(folder) == tree.stdout.strip()
    assert content.of(folder) != tree.stdout.strip()


def test_a_remembered_file_is_read_again_when_anything_about_it_changed(
    content: ContentDigests, folder: Path
) -> None:
    file = folder / "a.txt"
    first = content.of(folder)
    status = file.stat()
    file.write_text("next\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    content.forget()
    second = content.of(folder)
    assert second != first
    assert ContentDigests(content.folder, later).of(folder) == second


def test_what_was_just_written_is_not_remembered(tmp_path: Path, folder: Path) -> None:
    content = ContentDigests(tmp_path / "digests")
    content.of(folder)
    assert not content.folder.exists()


def test_a_memo_is_used_and_a_damaged_one_is_not(content: ContentDigests, folder: Path) -> None:
    first = content.of(folder)
    (memo,) = content.folder.iterdir()
    again = ContentDigests(content.folder, later)
    assert again.of(folder) == first
    kept = memo.read_bytes()
    memo.write_bytes(kept.replace(b'"project/a.txt"', b'"project/b.txt"'))
    assert ContentDigests(content.folder, later).of(folder) == first


def test_a_single_file_and_its_mode_have_an_identity(content: ContentDigests, folder: Path) -> None:
    plain = content.of(folder / "a.txt")
    (folder / "a.txt").chmod(0o755)
    content.forget()
    assert content.of(folder / "a.txt") != plain


def test_a_device_or_a_missing_path_has_none(content: ContentDigests, folder: Path) -> None:
    with pytest.raises(NotCacheableError, match="not there"):
        content.of(folder / "nothing")
    os.mkfifo(folder / "pipe")
    with pytest.raises(NotCacheableError, match="neither file, folder nor link"):
        content.of(folder)
