"""The level is what a real try showed; what fails is refused with its fix."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from polyphony_runner.sandbox import argv, decide_level, fixes, machine, preflight, run_sandboxed
from polyphony_runner.sandbox.cgroup import ControlGroup, Layout, control_group, find_layout, own_layout
from polyphony_runner.sandbox.doctor import diagnose
from polyphony_runner.sandbox.errors import SandboxUnavailableError
from polyphony_runner.sandbox.spec import Level, Limits
from support.sandbox_box import AS_ROOT, Box

MACHINE = machine.Machine(
    "linux", "6.1", "x86_64", 1000, 0, "/usr/bin/bwrap", (0, 8, 0), 1, "boot", (), wsl1=False
)


def test_this_machine_isolates_and_the_answer_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = decide_level(tmp_path, fresh=True)
    assert report.level == ("full-privileged" if AS_ROOT else "full")
    assert len(report.checks) >= 10
    assert all(held for _, held in report.checks)
    kept = json.loads((tmp_path / "cache" / "sandbox.json").read_text())
    assert kept["level"] == report.level
    monkeypatch.setattr(preflight, "_kept", {})
    monkeypatch.setattr(preflight, "_try", lambda _: pytest.fail("a kept answer is not tried again"))
    assert decide_level(tmp_path).level == report.level


@pytest.mark.parametrize(
    ("option", "values"), [("--unshare-net", 0), ("--unshare-pid", 0), ("--remount-ro", 1), ("--seccomp", 1)]
)
def test_a_layer_that_is_missing_is_found_by_the_probe(
    option: str, values: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Take one layer away from the real argv: the preflight must not call that a sandbox."""
    real = argv.Options.args_file

    def without(self: argv.Options) -> int:
        while option in self.words:
            at = self.words.index(option)
            del self.words[at : at + 1 + values]
        return real(self)

    monkeypatch.setattr(argv.Options, "args_file", without)
    assert decide_level(tmp_path, fresh=True).level is None


def test_no_fresh_failure_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "look", lambda: replace(MACHINE, bwrap="", bwrap_version=()))
    report = decide_level(tmp_path, fresh=True)
    with pytest.raises(SandboxUnavailableError) as caught:
        report.require()
    assert caught.value.code == "PLY3001"
    assert "apt install bubblewrap" in caught.value.hint
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"system": "darwin"}, "Linux VM"),
        ({"wsl1": True}, "--set-version"),
        ({"architecture": "riscv64"}, "x86_64"),
        ({"bwrap": ""}, "apt install bubblewrap"),
        ({"bwrap_version": (0, 6, 1)}, "apt install bubblewrap"),
    ],
)
def test_what_cannot_work_is_said_before_trying(changes: dict[str, object], words: str) -> None:
    found = fixes.before_trying(replace(MACHINE, **changes))  # type: ignore[arg-type]  # by name
    assert found is not None
    assert words in found.fix
    assert fixes.before_trying(MACHINE) is None


@pytest.mark.parametrize(
    ("said", "sysctl", "words"),
    [
        ("bwrap: Unknown option --disable-userns", None, "apt install"),
        (
            "bwrap: setting up uid map: Permission denied",
            ("kernel.apparmor_restrict_unprivileged_userns", "1"),
            "profile bwrap",
        ),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", None, "Docker"),
        (
            "bwrap: No permissions to create new namespace",
            ("kernel.unprivileged_userns_clone", "0"),
            "userns_clone=1",
        ),
        ("bwrap: No permissions to creating new namespace", None, "seccomp=unconfined"),
        (
            "bwrap: Creating new namespace failed",
            ("user.max_user_namespaces", "0"),
            "max_user_namespaces=15000",
        ),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", None, "unmask"),
        ("bwrap: Failed to mount tmpfs: Permission denied", None, "label=disable"),
        ("bwrap: something new", None, "doctor"),
    ],
)
def test_each_symptom_has_its_fix(said: str, sysctl: tuple[str, str] | None, words: str) -> None:
    facts = replace(MACHINE, sysctls=(sysctl,) if sysctl else ())
    assert words in fixes.after_trying(facts, said).fix


def test_a_level_that_does_not_fit_the_user_is_refused(here: Box) -> None:
    other: Level = "full" if here.level == "full-privileged" else "full-privileged"
    with pytest.raises(SandboxUnavailableError) as caught:
        asyncio.run(run_sandboxed(here.spec("true"), level=other))
    assert caught.value.code == "PLY3013"


def test_doctor_says_level_checks_and_machine(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path)
    document = diagnosis.to_json()
    assert document["ok"] is True
    assert json.loads(json.dumps(document)) == document
    assert diagnosis.lines()[0].startswith("sandbox: full")


def test_version_2_groups_are_used_where_controllers_are_delegated(tmp_path: Path) -> None:
    own = tmp_path / "user.slice" / "scope"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").write_text("cpu memory pids\n")
    layout = find_layout("0::/user.slice/scope\n", tmp_path)
    assert layout == Layout(2, own)
    assert find_layout("0::/elsewhere\n", tmp_path) == Layout(0, None)
    group = ControlGroup(2, own, bounds_memory=True)
    (own / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    (own / "pids.events").write_text("max 5\n")
    (own / "memory.peak").write_text("4096\n")
    assert (group.oom_kills(), group.forks_refused(), group.peak_memory()) == (2, 5, 4096)


def test_without_a_group_nothing_is_claimed() -> None:
    with control_group(Limits(), Layout(0, None)) as group, group.entered():
        group.take(1, Limits())
        assert not group.bounds_memory
        assert (group.oom_kills(), group.forks_refused(), group.peak_memory()) == (0, 0, 0)


def test_what_a_thread_starts_in_a_version_1_group_begins_there() -> None:
    layout = own_layout()
    if layout.version != 1 or layout.folder is None:
        pytest.skip("this machine has no version 1 group of ours")
    before = Path("/proc/thread-self/cgroup").read_text()
    with control_group(Limits()) as group:
        assert group.folder is not None
        with group.entered():
            child = subprocess.Popen(["/bin/sleep", "60"])
        try:
            assert (group.folder / "cgroup.procs").read_text().split() == [str(child.pid)]
            assert group.bounds_memory
            assert Path("/proc/thread-self/cgroup").read_text() == before
        finally:
            child.kill()
            child.wait()
    assert not group.folder.exists()
