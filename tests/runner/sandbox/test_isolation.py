"""What a program inside can see and do, asked by a program that tries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.sandbox import Mount
from support import sandbox_hostile
from support.sandbox_box import SYSTEM_PYTHON, levels, make_box

Seen = dict[str, Any]


@pytest.fixture(scope="module", params=levels())
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """The report of the hostile program, once per level."""
    with make_box(request.param) as box:
        shown = box.folder / "shown"
        shown.mkdir(mode=0o755)
        (shown / "file").write_text("of the host")
        ended = box.run(
            SYSTEM_PYTHON,
            "-I",
            "-S",
            "/hostile.py",
            mounts=(Mount(shown, "/src"),),
            files={
                "/hostile.py": Path(sandbox_hostile.__file__).read_bytes(),
                "/asked": str(shown / "file").encode(),
            },
            secrets={"TOKEN": b"s3cret-value"},
        )
        assert ended.kind is None, ended.stderr
        report: Seen = json.loads(ended.stdout)
        report["folder"] = str(box.folder)
        report["level"] = box.level
        yield report


def test_runs_as_a_user_of_its_own_without_privileges(seen: Seen) -> None:
    assert seen["uid"] != 0
    assert seen["name"] == "node"
    assert seen["capabilities"] == 0
    assert seen["no_new_privileges"] == "1"


def test_sees_no_host_processes_and_no_host_name(seen: Seen) -> None:
    assert len(seen["pids"]) <= 3
    assert max(seen["pids"]) < 100
    assert seen["hostname"] == "sandbox"


def test_sees_no_files_of_the_host_beyond_the_system_and_its_grants(seen: Seen) -> None:
    assert set(seen["root"]) <= {
        *("bin", "dev", "etc", "asked", "hostile.py", "lib", "lib32", "lib64", "libx32", "nix", "gnu"),
        *("proc", "sbin", "src", "tmp", "usr", "ws"),
    }
    assert seen["host_file"] == "ENOENT"


def test_inherits_neither_descriptors_nor_environment_nor_terminal(seen: Seen) -> None:
    assert seen["fds"] == 3
    assert not {"POLYPHONY_HOME", "PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & set(seen["environment"])
    assert seen["terminal"] != "allowed"


def test_options_are_not_in_the_command_line_that_everybody_reads(seen: Seen) -> None:
    assert seen["folder"] not in seen["pid_one"]
    assert "TOKEN" not in seen["pid_one"]


def test_dangerous_calls_are_refused_and_unknown_ones_do_not_exist(seen: Seen) -> None:
    missing = {"clone3", "io_uring_setup", "number 470", "number 600"}
    assert {name: error for name, error in seen["calls"].items() if name in missing} == dict.fromkeys(
        missing, "ENOSYS"
    )
    refused = {name: error for name, error in seen["calls"].items() if name not in missing}
    assert set(refused.values()) == {"EPERM"}, refused
    assert seen["clone user"] == "EPERM"


def test_cannot_type_into_the_users_terminal(seen: Seen) -> None:
    assert [seen["tiocsti"], seen["tiocsti high"], seen["tioclinux"]] == ["EPERM"] * 3


def test_no_socket_of_any_family_opens_offline_but_socketpair_works(seen: Seen) -> None:
    assert set(seen["sockets"].values()) == {"EAFNOSUPPORT"}
    assert seen["socketpair"] == "allowed"


def test_can_write_its_own_folders_only(seen: Seen) -> None:
    writes = seen["writes"]
    assert {path for path, error in writes.items() if error == "allowed"} == {"/tmp/x", "/dev/shm/x", "/ws/x"}
    assert seen["shown"] == {"/src/x": "EROFS", "/src/file": "EROFS"}
    assert seen["secret write"] != "allowed"


def test_cannot_change_the_kernel_of_the_host(seen: Seen) -> None:
    assert seen["sysctl"] in ("EACCES", "EROFS", "EPERM")
    assert seen["kernel memory"] != "allowed"
    assert seen["pid one memory"] != "allowed"


def test_leaves_no_core_for_a_crash_handler(seen: Seen) -> None:
    assert seen["core_limit"] == 1


def test_reads_its_secret_from_a_file(seen: Seen) -> None:
    assert seen["secret"] == "s3cret-value"
