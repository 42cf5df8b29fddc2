"""What a package on disk is: the commit when nothing changed, else the files that git would add."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.manifest import find_manifest
from polyphony_runner.package_files import read_commit, read_package_files
from polyphony_runner.runs.overrides import read_overrides
from polyphony_schemas.errors import PolyphonyError


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "nodes").mkdir(parents=True)
    (folder / "melody.yaml").write_text("melody: v1\n")
    (folder / "nodes" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "nodes" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("melody.yaml")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "debug.log").write_text("noise")
    return folder


def commit(folder: Path) -> str:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    return git(folder, "rev-parse", "HEAD")


def test_a_clean_work_tree_is_its_commit_and_equals_the_folder(package: Path) -> None:
    outside = read_package_files(package)
    identity = commit(package)
    clean = read_package_files(package)
    assert clean.commit == identity
    assert outside.commit is None
    assert clean.tree == outside.tree
    assert sorted(clean.entries) == [".gitignore", "link", "melody.yaml", "nodes/run.sh"]
    assert clean.entries["nodes/run.sh"].mode == "100755"
    assert clean.entries["link"].mode == "120000"
    assert find_manifest(clean.texts()) == "melody.yaml"


def test_the_tree_equals_what_git_computes_with_sha256(package: Path, tmp_path: Path) -> None:
    sha256 = tmp_path / "sha256"
    git(tmp_path, "init", "-q", "--object-format=sha256", str(sha256))
    git(package, f"--git-dir={sha256}/.git", "--work-tree=.", "add", ".")
    expected = git(package, f"--git-dir={sha256}/.git", "write-tree")
    assert read_package_files(package).tree == expected


def test_line_ending_rules_do_not_change_the_identity(package: Path) -> None:
    (package / "melody.yaml").write_bytes(b"melody: v1\r\n")
    before = read_package_files(package).tree
    commit(package)
    git(package, "config", "core.autocrlf", "true")
    assert read_package_files(package).tree == before


def test_a_changed_or_new_file_means_the_files_on_disk(package: Path) -> None:
    commit(package)
    before = read_package_files(package)
    (package / "new.txt").write_text("new")
    (package / "link").unlink()
    after = read_package_files(package)
    assert after.commit is None
    assert set(after.entries) == set(before.entries) - {"link"} | {"new.txt"}
    assert read_commit(package, "HEAD").tree == before.tree


def test_a_folder_inside_a_work_tree_is_only_itself(package: Path) -> None:
    commit(package)
    inside = read_package_files(package / "nodes")
    assert list(inside.entries) == ["run.sh"]
    assert inside.commit is None


def test_the_manifest_may_be_named(package: Path) -> None:
    assert read_package_files(package / "melody.yaml").root == package


def test_replace_refs_and_attributes_change_nothing(package: Path) -> None:
    (package / ".gitattributes").write_text("melody.yaml export-ignore\n*.sh text eol=crlf\n")
    commit(package)
    assert "melody.yaml" in read_package_files(package).entries
    assert read_package_files(package).entries["nodes/run.sh"].data == b"#!/bin/sh\n"


def test_refuses_what_is_no_package(package: Path, tmp_path: Path) -> None:
    with pytest.raises(ClientError) as missing:
        read_package_files(tmp_path / "nothing")
    assert missing.value.code == "PLY6704"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ClientError) as none:
        find_manifest(read_package_files(empty).texts())
    assert none.value.code == "PLY6705"
    (package / "extension.yaml").write_text("extension: v1\n")
    with pytest.raises(ClientError, match=r"melody\.yaml and extension\.yaml"):
        find_manifest(read_package_files(package).texts())


def test_refuses_a_repository_inside(package: Path) -> None:
    inner = package / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "x")
    with pytest.raises(ClientError) as caught:
        read_package_files(package)
    assert caught.value.code == "PLY6706"


def test_a_folder_far_too_big_is_refused_before_it_is_read(package: Path) -> None:
    with (package / "disk.img").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ClientError) as refused:
        read_package_files(package)
    assert refused.value.code == "PLY6201"


@pytest.fixture
def hostile(package: Path) -> Path:
    """A folder from anywhere, whose ``.git`` names programs; the file ``started`` says that one of them ran."""
    program = package.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch '{package.parent}/started'\nexit 1\n")
    program.chmod(0o755)
    (package / ".gitattributes").write_text("*.yaml filter=a=b\n*.sh filter=c\n")
    (package / "melody.local.yaml").write_text("overrides: {}\n")
    commit(package)
    settings = {
        "core.fsmonitor": str(program),
        "filter.a=b.clean": str(program),
        "filter.c.process": str(program),
        "filter.c.required": "true",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program}",
        "protocol.ext.allow": "always",
    }
    for name, value in settings.items():
        git(package, "config", name, value)
    return package


def started(folder: Path) -> bool:
    return (folder.parent / "started").exists()


def test_a_folder_starts_no_program_when_it_is_read(hostile: Path) -> None:
    for name in ("melody.yaml", "nodes/run.sh"):  # git compares what has another time
        os.utime(hostile / name, (1, 1))
    assert read_package_files(hostile).commit is not None
    (hostile / "melody.yaml").write_text("melody: v2\n")
    assert read_package_files(hostile).commit is None
    assert not started(hostile)
    subprocess.run(["git", "status"], cwd=hostile, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    assert started(hostile)


def test_a_folder_starts_no_program_when_objects_are_missing(hostile: Path) -> None:
    blob = git(hostile, "rev-parse", "HEAD:melody.yaml")
    (hostile / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(ClientError) as caught:
        read_commit(hostile, "HEAD")
    assert caught.value.code == "PLY6703"
    assert not started(hostile)
    subprocess.run(["git", "cat-file", "-p", blob], cwd=hostile, check=False, capture_output=True)
    assert started(hostile)


def test_a_folder_starts_no_program_when_its_overrides_are_read(hostile: Path) -> None:
    with pytest.raises(PolyphonyError) as caught:
        read_overrides(hostile, ())
    assert caught.value.code == "PLY2411"
    assert not started(hostile)
