"""What the host shows, hands over, takes back and removes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from polyphony_runner.sandbox import Limits, Mount, argv, direct, prepare, run_sandboxed, tree, uids
from polyphony_runner.sandbox.errors import MountRefusedError, SandboxError, SandboxUnavailableError
from polyphony_runner.sandbox.interpreter import interpreter_mounts
from polyphony_runner.sandbox.watch import Disk
from support.sandbox_box import AS_ROOT, OWN_PYTHON, QUICK, SYSTEM_PYTHON, USER, Box

only_as_root = pytest.mark.skipif(not AS_ROOT, reason="the privileged level needs root")


def test_a_private_copy_may_be_changed_and_the_original_stays(here: Box, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "sub").mkdir(parents=True)
    (project / "sub" / "file").write_text("original")
    (project / "link").symlink_to("/etc/shadow")
    ended = here.run(
        "sh",
        "-c",
        "echo changed > /src/project/sub/file && cat /src/project/sub/file && readlink /src/project/link",
        mounts=(Mount(project, "/src/project", "copy"),),
    )
    assert ended.stdout == b"changed\n/etc/shadow\n", ended
    assert (project / "sub" / "file").read_text() == "original"
    assert sorted(path.name for path in here.folder.iterdir()) == ["ws"]


def test_a_direct_grant_is_written_and_everything_belongs_to_the_caller_again(
    here: Box, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o755)
    (project / "old").write_text("old")
    ended = here.run(
        "sh",
        "-c",
        "echo new >> /ws/project/old; mkdir /ws/project/made",
        mounts=(Mount(project, "/ws/project", "rw"),),
    )
    assert ended.kind is None, ended
    assert (project / "old").read_text() == "oldnew\n"
    assert {path.stat().st_uid for path in (project, project / "old", project / "made")} == {os.geteuid()}


def test_an_opened_descriptor_is_what_is_mounted(here: Box, tmp_path: Path) -> None:
    checked = tmp_path / "checked"
    checked.mkdir(mode=0o755)
    (checked / "file").write_text("the checked one")
    fd = os.open(checked, os.O_PATH | os.O_DIRECTORY)
    try:
        checked.rename(tmp_path / "moved")
        checked.mkdir()
        ended = here.run("cat", "/src/file", mounts=(Mount(checked, "/src", fd=fd),))
    finally:
        os.close(fd)
    assert ended.stdout == b"the checked one"


def exchange(folder: Path, elsewhere: Path) -> None:
    """What a node that writes to the folder above can do at any moment."""
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(elsewhere)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose parts a node may exchange, and a folder that nobody granted."""
    for name in ("project/a", "elsewhere/a"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    return tmp_path / "project"


@pytest.mark.parametrize("mode", ["ro", "rw", "copy"])
@pytest.mark.parametrize("part", ["project", "project/a"])
def test_a_path_of_which_a_part_has_become_a_link_is_refused(
    here: Box, project: Path, mode: Literal["ro", "rw", "copy"], part: str
) -> None:
    exchange(project.parent / part, project.parent / part.replace("project", "elsewhere"))
    with pytest.raises(MountRefusedError, match="link"):
        here.run("cat", "/src/file", mounts=(Mount(project / "a", "/src", mode),))


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_path_that_is_exchanged_after_the_check_shows_what_was_checked(
    here: Box, project: Path, mode: Literal["ro", "rw"], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = argv.build

    def too_late(*args: Any, **words: Any) -> argv.Options:
        exchange(project, project.parent / "elsewhere")
        return build(*args, **words)

    monkeypatch.setattr(argv, "build", too_late)
    ended = here.run("cat", "/src/file", mounts=(Mount(project / "a", "/src", mode),))
    assert ended.stdout == b"project/a", ended
    assert {path.stat().st_uid for path in project.parent.rglob("*")} == {os.geteuid()}


@only_as_root
def test_a_tree_is_handed_over_by_what_it_is_not_by_its_path(
    here: Box, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def too_late(*args: Any) -> AsyncIterator[None]:
        exchange(project, project.parent / "elsewhere")
        async with direct.handed_over(*args):
            assert {path.stat().st_uid for path in (project.parent / "elsewhere").rglob("*")} == {0}
            yield

    monkeypatch.setattr(prepare, "handed_over", too_late)
    mounts = (Mount(project / "a", "/src", "rw"),)
    assert here.run("sh", "-c", "echo new > /src/file", mounts=mounts).kind is None
    assert (project.parent / "moved/a/file").read_text() == "new\n"
    assert {path.stat().st_uid for path in project.parent.rglob("*")} == {0}


def test_no_descriptor_of_a_mount_is_left_inside(box: Box) -> None:
    shown = box.folder / "shown"
    shown.mkdir(mode=0o755)
    mounts = (Mount(shown, "/src", "rw"), Mount(shown, "/read"))
    ended = box.run("sh", "-c", "ls -l /proc/*/fd", mounts=mounts)
    assert b"/proc/self/fd:" in ended.stdout, ended
    assert not any(name in ended.stdout for name in (b"shown", b"/src", b"/read")), ended.stdout


def test_a_mount_that_is_not_there_is_refused_before_anything_runs(here: Box, tmp_path: Path) -> None:
    with pytest.raises(MountRefusedError) as caught:
        here.run("true", mounts=(Mount(tmp_path / "missing", "/src/x"),))
    assert caught.value.code == "PLY3003"


@pytest.mark.parametrize("inside", ["relative", "/", "/a/../b", "/a//b"])
def test_a_place_inside_is_a_normal_absolute_path(here: Box, tmp_path: Path, inside: str) -> None:
    with pytest.raises(SandboxError) as caught:
        here.run("true", mounts=(Mount(tmp_path, inside),))
    assert caught.value.code == "PLY3004"


def test_an_interpreter_outside_usr_starts_with_its_own_libraries(here: Box) -> None:
    ended = here.run(
        str(OWN_PYTHON),
        "-I",
        "-c",
        "import ssl, sqlite3, sys; print(sys.prefix)",
        mounts=interpreter_mounts(OWN_PYTHON),
    )
    assert ended.kind is None, ended.stderr


def test_something_else_than_an_interpreter_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "python3"
    fake.parent.mkdir()
    fake.write_text("")
    with pytest.raises(MountRefusedError):
        interpreter_mounts(fake)


def test_git_takes_the_work_folder_for_its_own(box: Box) -> None:
    ended = box.run("sh", "-c", "git init -q . && git status --short && echo fine")
    assert ended.stdout == b"fine\n", ended.stderr


if Path("/usr/bin/node").exists():

    def test_node_starts_within_its_memory(box: Box) -> None:
        """Runtimes reserve far more address space than they use."""
        ended = box.run("node", "-e", "console.log(6 * 7)", limits=replace(QUICK, memory=512 << 20))
        assert ended.stdout == b"42\n", ended.stderr


def test_commands_that_are_links_into_alternatives_start(box: Box) -> None:
    assert box.run("awk", "BEGIN { print 6 * 7 }").stdout == b"42\n"


@only_as_root
def test_a_tree_that_the_sandboxes_user_may_not_read_is_shown_as_a_copy(here: Box, tmp_path: Path) -> None:
    secretive = tmp_path / "project"
    secretive.mkdir(mode=0o700)
    (secretive / "file").write_text("content")
    (secretive / "file").chmod(0o600)
    ended = here.run("cat", "/src/project/file", mounts=(Mount(secretive, "/src/project"),))
    assert ended.stdout == b"content"
    assert "private copy" in ended.notes[0]
    assert stat.S_IMODE((secretive / "file").stat().st_mode) == 0o600


@only_as_root
def test_a_direct_grant_with_files_of_another_owner_is_refused(here: Box, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o755)
    (project / "theirs").write_text("x")
    os.chown(project / "theirs", USER, USER)
    with pytest.raises(MountRefusedError, match="another user"):
        here.run("true", mounts=(Mount(project, "/ws/project", "rw"),))
    assert (project / "theirs").stat().st_uid == USER


@only_as_root
def test_what_a_killed_runner_had_handed_over_is_taken_back(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "file").write_text("x")
    os.chown(project, 60600, 60600)
    os.chown(project / "file", 60600, 60600)
    folder = tmp_path / "state" / "handed-over"
    folder.mkdir(parents=True)
    (folder / "left.json").write_text(json.dumps({"path": str(project), "uid": 60600, "back": [0, 0]}))
    assert direct.repair(tmp_path / "state") == [project]
    assert {project.stat().st_uid, (project / "file").stat().st_uid} == {0}
    assert list(folder.iterdir()) == []


@only_as_root
def test_four_sandboxes_at_once_do_not_count_each_others_processes(here: Box) -> None:
    code = """
import os, time
for _ in range(30):
    if os.fork() == 0:
        time.sleep(0.5); os._exit(0)
time.sleep(0.4); print("fine")
"""

    async def main() -> None:
        specs = []
        for number in range(4):
            work = here.folder / f"ws{number}"
            work.mkdir()
            spec = here.spec(SYSTEM_PYTHON, "-I", "-S", "-c", code)
            specs.append(run_sandboxed(type(spec)(spec.argv, work, limits=spec.limits), level=here.level))
        assert [ended.stdout for ended in await asyncio.gather(*specs)] == [b"fine\n"] * 4

    asyncio.run(main())


def hostile_tree(root: Path, depth: int) -> None:
    """Deep, locked, with links, a FIFO, a hole and long names."""
    root.mkdir()
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    (root / ("n" * 255)).write_text("x")
    (root / "link").symlink_to("/etc/passwd")
    (root / "dirlink").symlink_to("/etc")
    os.mkfifo(root / "fifo")
    (root / "locked").mkdir(mode=0o000)
    with (root / "hole").open("wb") as file:
        file.truncate(1 << 40)


def test_removes_what_rm_does_not(tmp_path: Path) -> None:
    hostile_tree(tmp_path / "tree", 3000)
    tree.remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc/passwd").exists()
    tree.remove_tree(tmp_path / "tree")


def test_measures_blocks_and_entries_not_lengths(tmp_path: Path) -> None:
    hostile_tree(tmp_path / "tree", 10)
    usage = tree.measure(tmp_path / "tree")
    assert usage.entries == 10 + 6
    assert usage.size < 1 << 20
    assert Disk.at([tmp_path / "tree"], Limits(disk=None)) is None
    tree.remove_tree(tmp_path / "tree")


def test_the_disk_bound_is_about_growth_over_all_writable_folders(tmp_path: Path) -> None:
    for name in ("ws", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "before").write_bytes(b"x" * 300_000)
    disk = Disk.at([tmp_path / "ws", tmp_path / "out"], Limits(disk=200_000, entries=3))
    assert disk is not None
    assert disk.verdict() is None
    (tmp_path / "out" / "made").write_bytes(b"x" * 100_000)
    assert disk.verdict() is None
    (tmp_path / "ws" / "made").write_bytes(b"x" * 110_000)
    assert disk.verdict() is not None
    (tmp_path / "ws" / "made").unlink()
    assert disk.verdict() is None
    for number in range(3):
        (tmp_path / "out" / str(number)).touch()
    assert disk.verdict() is not None


def test_a_hole_is_copied_as_a_hole(tmp_path: Path) -> None:
    with (tmp_path / "source").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
        file.truncate(1 << 40)
    source = os.open(tmp_path / "source", os.O_PATH)
    tree.copy_any(source, tmp_path / "copy")
    os.close(source)
    assert (tmp_path / "copy").stat().st_size == 1 << 40
    assert (tmp_path / "copy").stat().st_blocks < 1000
    with (tmp_path / "copy").open("rb") as file:
        file.seek(1 << 30)
        assert file.read(3) == b"end"


def test_a_copy_for_which_there_is_no_space_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "source").write_text("content")
    monkeypatch.setattr("os.sendfile", full)
    monkeypatch.setattr("fcntl.ioctl", full)  # nor are blocks shared
    with (
        (tmp_path / "source").open() as source,
        (tmp_path / "copy").open("w") as copy,
        pytest.raises(OSError, match="No space"),
    ):
        tree.copy_file(source.fileno(), copy.fileno())


@only_as_root
def test_what_comes_back_has_no_set_id_bits_and_no_foreign_owner(here: Box) -> None:
    ended = here.run("sh", "-c", "cp /bin/true x; chmod 6777 x; mkdir d; ln x d/hard; ln -s /etc/passwd link")
    assert ended.kind is None, ended
    for name in ("x", "d", "d/hard", "link"):
        status = (here.work / name).lstat()
        assert status.st_uid == 0
        assert not status.st_mode & 0o6000
    assert Path("/etc/passwd").stat().st_uid == 0


def test_copies_links_as_links_and_leaves_devices_out(tmp_path: Path) -> None:
    hostile_tree(tmp_path / "tree", 3)
    (tmp_path / "tree" / "set-id").write_text("x")
    (tmp_path / "tree" / "set-id").chmod(0o4755)
    tree.remove_tree(tmp_path / "tree" / "locked")
    (tmp_path / "tree" / "hole").unlink()
    tree.copy_tree(tmp_path / "tree", tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(
        ["d", "n" * 255, "link", "dirlink", "set-id"]
    )
    assert (tmp_path / "copy" / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "copy" / "set-id").stat().st_mode) == 0o755


def test_a_directory_that_moves_during_the_walk_ends_it(tmp_path: Path) -> None:
    (tmp_path / "tree" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    with tree.opened(tmp_path / "tree") as root, pytest.raises(OSError, match="moved"):
        for visit in tree.walk(root):
            if visit.step == "enter" and visit.name == "c":
                (tmp_path / "tree" / "a" / "b").rename(tmp_path / "elsewhere" / "b")


@only_as_root
def test_a_user_id_is_held_by_one_sandbox_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with uids.lease(60600, 60601, tmp_path) as first, uids.lease(60600, 60601, tmp_path) as second:
            assert {first, second} == {60600, 60601}
            monkeypatch.setattr(uids, "WAIT_SECONDS", 0.05)
            with pytest.raises(SandboxUnavailableError, match="in use"):
                async with uids.lease(60600, 60601, tmp_path):
                    pass
        with pytest.raises(SandboxUnavailableError, match="belongs to an account"):
            async with uids.lease(0, 0, tmp_path):
                pass

    asyncio.run(main())


def test_folders_of_the_runner_beside_the_work_folder_are_written_too(here: Box) -> None:
    out = here.folder / "out"
    out.mkdir(mode=0o700)
    ended = here.run("sh", "-c", "echo result > /out/port/file", mounts=(Mount(out, "/out/port", "rw"),))
    assert ended.kind is None, ended
    assert (out / "file").read_text() == "result\n"
    assert {out.stat().st_uid, (out / "file").stat().st_uid} == {os.geteuid()}
