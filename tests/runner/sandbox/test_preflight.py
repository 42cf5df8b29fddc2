"""The level is what a real try showed; what fails is refused with its fix."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from polyphony_runner.sandbox import (
    argv,
    decide_level,
    execution,
    fixes,
    landlock,
    machine,
    preflight,
    run_sandboxed,
    seccomp,
)
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
    monkeypatch.setattr(preflight, "wasm_engine", lambda: False)
    report = decide_level(tmp_path, fresh=True)
    with pytest.raises(SandboxUnavailableError) as caught:
        report.require()
    assert caught.value.code == "PLY3001"
    assert "apt install bubblewrap" in caught.value.hint
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(landlock.abi() < landlock.OLDEST_ABI, reason="needs Landlock of ABI 6")
def test_without_bubblewrap_the_level_is_landlock_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = replace(machine.look(), bwrap="", bwrap_version=())
    monkeypatch.setattr(machine, "look", lambda: facts)
    monkeypatch.setattr(preflight, "_kept", {})
    report = decide_level(tmp_path, fresh=True)
    assert report.level == "landlock"
    assert len(report.checks) >= 15
    assert all(held for _, held in report.checks)
    assert report.reasons == ("bubblewrap (bwrap) is not installed",)
    assert not (tmp_path / "cache").exists(), "bubblewrap may be installed at any time"
    lines = diagnose(tmp_path).lines()
    assert lines[0].startswith("sandbox: landlock: nodes without network")
    assert any(line.strip().startswith("fix: apt install") for line in lines)


@pytest.mark.skipif(landlock.abi() < landlock.OLDEST_ABI, reason="needs Landlock of ABI 6")
def test_landlock_without_its_filter_is_no_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = replace(machine.look(), bwrap="", bwrap_version=())
    monkeypatch.setattr(machine, "look", lambda: facts)
    open_to_all = seccomp.program(facts.architecture, (1, 2, 10))
    monkeypatch.setattr(seccomp, "filter_for", lambda **_: open_to_all)
    report = decide_level(tmp_path, fresh=True)
    assert report.level is None
    assert any("opens no socket" in reason for reason in report.reasons)


def test_what_is_left_without_the_kernels_help_is_webassembly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def level_of(facts: machine.Machine, *, engine: bool) -> Level | None:
        monkeypatch.setattr(machine, "look", lambda: facts)
        monkeypatch.setattr(preflight, "_kept", {})
        monkeypatch.setattr(preflight, "wasm_engine", lambda: engine)
        return decide_level(tmp_path, fresh=True).level

    bare = replace(MACHINE, bwrap="", bwrap_version=())
    assert level_of(bare, engine=True) == "wasm"
    assert level_of(bare, engine=False) is None
    assert level_of(replace(bare, system="darwin"), engine=True) is None, "nothing there ends a whole tree"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"landlock": 0}, "no Landlock"),
        ({"landlock": 5}, "ABI 6"),
        ({"landlock": 7, "architecture": "riscv64"}, "x86_64"),
        ({"landlock": 7, "uid": 0}, "CHOWN DAC_OVERRIDE SETGID SETUID SETPCAP"),
    ],
)
def test_why_landlock_is_not_tried(changes: dict[str, object], cause: str) -> None:
    found = fixes.before_landlock(replace(MACHINE, **changes))  # type: ignore[arg-type]  # by name
    assert found is not None
    assert cause in found.cause
    assert fixes.before_landlock(replace(MACHINE, landlock=6)) is None


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"container": "docker"}, "docker run --security-opt"),
        ({"container": "podman"}, "podman run --security-opt"),
        ({"container": "kubernetes"}, "procMount: Unmasked"),
        ({}, "in Kubernetes"),
    ],
)
def test_the_fix_in_a_container_is_for_that_container(place: dict[str, object], words: str) -> None:
    facts = replace(MACHINE, **place)  # type: ignore[arg-type]  # by name
    fix = fixes.after_trying(facts, "bwrap: No permissions to create new namespace").fix
    assert words in fix
    assert ("podman" in fix) == (place != {"container": "docker"} and place != {"container": "kubernetes"})


def test_the_fix_in_a_job_of_github_is_a_step() -> None:
    sysctl = (("kernel.apparmor_restrict_unprivileged_userns", "1"),)
    facts = replace(MACHINE, actions=True, sysctls=sysctl)
    fix = fixes.after_trying(facts, "bwrap: setting up uid map: Permission denied").fix
    assert fix.startswith("a step before it: run: sudo sysctl")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "keeps user namespaces"),
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "system call filter"),
        (
            'echo "bwrap: Can\'t mount proc on /newroot/proc: Operation not permitted" >&2; exit 1',
            "masks parts",
        ),
        ("echo 'bwrap: Unknown option --disable-userns' >&2; exit 1", "lacks an option"),
        ("exit 1", "could not be made"),
    ],
)
def test_doctor_explains_what_a_bubblewrap_that_fails_says(
    script: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit\n{script}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(execution, "bwrap_path", lambda: str(fake))
    monkeypatch.setattr(preflight, "_kept", {})
    monkeypatch.setattr(preflight, "_try_landlock", lambda _: preflight.LevelReport(None, (), (), ()))
    monkeypatch.setattr(preflight, "wasm_engine", lambda: False)
    diagnosis = diagnose(tmp_path)
    assert diagnosis.report.level is None
    assert words in diagnosis.report.reasons[0]
    assert any(line.strip().startswith("fix: ") for line in diagnosis.lines())


@pytest.mark.skipif(not AS_ROOT, reason="only root can take its own capabilities away")
@pytest.mark.skipif(landlock.abi() < landlock.OLDEST_ABI, reason="needs Landlock of ABI 6")
def test_root_in_a_container_without_sys_admin_has_landlock(tmp_path: Path) -> None:
    """What Docker leaves to root by default: no SYS_ADMIN, and so no namespaces."""
    kept = "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap"
    words = [
        "setpriv",
        f"--bounding-set=-all,+{kept.replace(',', ',+')}",
        f"--inh-caps=-all,+{kept.replace(',', ',+')}",
    ]
    code = (
        "import json, sys; from pathlib import Path; from polyphony_runner.sandbox.doctor import diagnose;"
        "print(json.dumps(diagnose(Path(sys.argv[1])).to_json()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run([*words, *command], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["sandbox"]
    assert (done.returncode, found["level"]) == (0, "landlock"), done.stdout
    assert found["missing"] == ["root lacks the capabilities SYS_ADMIN"]
    assert "--cap-add SYS_ADMIN" in " ".join(found["fixes"])


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


def test_what_is_left_in_a_group_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as left:
        (tmp_path / "cgroup.procs").write_text(f"{left.pid}\n")
        ControlGroup(1, tmp_path).end()
        assert left.wait() == -9
    (tmp_path / "cgroup.kill").write_text("")
    ControlGroup(2, tmp_path).end()
    assert (tmp_path / "cgroup.kill").read_text() == "1"
    ControlGroup().end()


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
