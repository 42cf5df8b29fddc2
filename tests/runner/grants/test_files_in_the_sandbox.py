"""Path grants, end to end: what a node sees, and what reaches the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.grants import nested
from polyphony_runner.runtimes.protocol import Success
from support.runtimes_nodes import Bench

ANY: dict[str, object] = {"schema": {}}
PATH: dict[str, object] = {"schema": {"type": "string", "format": "path"}}
READ: dict[str, Any] = {
    "inputs": {"path": PATH},
    "outputs": {"out": ANY},
    "permissions": {"read": ["${ inputs.path }"]},
}
WRITE: dict[str, Any] = {
    "inputs": {"path": PATH},
    "outputs": {"out": ANY},
    "permissions": {"write": ["${ inputs.path }"]},
}


def body(lines: str) -> str:
    indented = "\n".join(f"    {line}" for line in lines.strip().splitlines())
    return f"import os, pathlib, shutil\ndef main(inputs, parameters, task, context):\n{indented}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    (made.work / "src").mkdir()
    (made.work / "src/a.py").write_text("a = 1\n")
    (made.work / "src/b.py").write_text("b = 2\n")
    (made.work / ".git/hooks").mkdir(parents=True)
    return made


def test_a_read_grant_is_shown_read_only_under_the_inputs_name(bench: Bench) -> None:
    uses = bench.python(
        body(
            """
            root = pathlib.Path(inputs['path'])
            try:
                (root / 'new').write_text('x')
                wrote = True
            except OSError:
                wrote = False
            return {'out': [str(root), str(root / 'src/a.py'), (root / 'src/a.py').read_text(), wrote]}
            """.replace("            ", "")
        ),
        **READ,
    )
    out = bench.succeed(uses, inputs={"path": "."}, grants={"read": ("path", ".")[1:]})["out"]
    assert out == [".", "src/a.py", "a = 1\n", False]


def test_an_input_outside_every_grant_is_refused_with_the_line_to_add(bench: Bench) -> None:
    uses = bench.python(body("return {}"), **READ)
    failure = bench.fail(uses, inputs={"path": "."}, grants={"read": ("src",)})
    assert failure.kind == "permission"
    assert "permissions: {read:" in str(failure.details["hint"])
    assert bench.succeed(uses, inputs={"path": "src/a.py"}, grants={"read": ("src",)}) == {}


def test_links_are_resolved_before_a_path_is_compared(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.work / "src/way").symlink_to(outside)
    uses = bench.python(body("return {}"), **READ)
    for path in ("src/way", "src/../../outside", str(outside)):
        assert bench.fail(uses, inputs={"path": path}, grants={"read": ("src",)}).kind == "permission"


def test_a_path_is_granted_as_it_was_compared_or_not_at_all(bench: Bench, tmp_path: Path) -> None:
    """Another node may have exchanged it since."""
    uses = bench.python(body("return {}"), **READ)
    granted = {"src": bench.work / "src"}
    (bench.work / "src").rename(bench.work / "moved")
    (tmp_path / "outside").mkdir()
    (bench.work / "src").symlink_to(tmp_path / "outside")
    for inputs in ({"path": "src"}, {"path": "moved"}):
        failure = bench.fail(uses, inputs=inputs, grants={"read": ("src",)}, places=granted)
        assert failure.kind == "permission", inputs


@pytest.mark.parametrize("path", ["/", "~", "/proc/self", "/run", ".ssh", "keys/.aws/x", "pipe"])
def test_dangerous_places_cannot_be_granted(bench: Bench, path: str) -> None:
    (bench.work / ".ssh").mkdir()
    os.mkfifo(bench.work / "pipe")
    failure = bench.fail(bench.python(body("return {}")), grants={"read": (path,)})
    assert (failure.kind, failure.details["code"]) == ("permission", "PLY3402")


def test_a_folder_that_holds_credentials_or_the_runner_cannot_be_granted(bench: Bench) -> None:
    (bench.work / ".docker").mkdir()
    uses = bench.python(body("return {}"))
    for path in (".", str(bench.home.root), str(bench.home.store / "x"), str(bench.root)):
        assert bench.fail(uses, grants={"read": (path,)}).details["code"] == "PLY3402", path


def test_a_socket_cannot_be_granted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.work)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("docker.sock")
        failure = bench.fail(bench.python(body("return {}")), grants={"read": ("docker.sock",)})
    assert failure.details["code"] == "PLY3402"


def test_a_private_copy_can_be_written_and_is_thrown_away(bench: Bench) -> None:
    uses = bench.python(body("pathlib.Path(inputs['path'], 'a.py').write_text('x')\nreturn {}"), **READ)
    grants = {"read": ({"path": "src", "view": "copy"},)}
    bench.succeed(uses, inputs={"path": "src"}, grants=grants)
    assert (bench.work / "src/a.py").read_text() == "a = 1\n"


def test_changes_in_a_copy_are_applied_after_success(bench: Bench) -> None:
    uses = bench.python(
        body(
            "root = pathlib.Path(inputs['path'])\n"
            "(root / 'src/a.py').write_text('a = 9\\n')\n"
            "(root / 'src/b.py').unlink()\n"
            "(root / 'new/deep').mkdir(parents=True)\n"
            "(root / 'new/deep/run').write_text('x')\n"
            "(root / 'new/deep/run').chmod(0o4777)\n"
            "(root / 'new/link').symlink_to('deep/run')\n"
            "return {'out': str(root)}"
        ),
        **WRITE,
    )
    (bench.work / "src/b.py").chmod(0o640)
    outcome = bench.go(uses, inputs={"path": "."}, grants={"write": (".",)})
    assert isinstance(outcome, Success), outcome
    assert outcome.outputs["out"] == "."
    assert (bench.work / "src/a.py").read_text() == "a = 9\n"
    assert not (bench.work / "src/b.py").exists()
    assert (bench.work / "new/deep/run").stat().st_mode & 0o7777 == 0o755
    assert str((bench.work / "new/link").readlink()) == "deep/run"
    assert any("applied" in str(message) for message in bench.messages())
    (patch,) = (one for one in outcome.artifacts if one["name"] == "changes.diff")
    shown = bench.artifacts.read(str(patch["digest"])).decode()
    assert "+a = 9\n" in shown
    assert patch["media_type"] == "text/x-diff"


def test_a_failing_node_leaves_nothing(bench: Bench) -> None:
    uses = bench.python(
        body("pathlib.Path(inputs['path'], 'a.py').write_text('x')\nraise OSError('no')"), **WRITE
    )
    bench.fail(uses, inputs={"path": "src"}, grants={"write": ("src",)})
    assert (bench.work / "src/a.py").read_text() == "a = 1\n"


def test_protected_names_are_never_applied_unless_they_are_named(bench: Bench) -> None:
    source = body(
        "root = pathlib.Path(inputs['path'])\n"
        "for name in ('.git/hooks/post-checkout', '.GitHub/x', '.envrc', 'melody.yaml', 'sub/.vscode/tasks.json', 'ok'):\n"
        "    (root / name).parent.mkdir(parents=True, exist_ok=True)\n"
        "    (root / name).write_text('#!/bin/sh')\n"
        "return {}"
    )
    bench.succeed(bench.python(source, **WRITE), inputs={"path": "."}, grants={"write": (".",)})
    files = {str(path.relative_to(bench.work)) for path in bench.work.rglob("*") if path.is_file()}
    assert files == {"src/a.py", "src/b.py", "ok"}
    hook = bench.python(body("pathlib.Path(inputs['path'], 'hooks/x').write_text('x')\nreturn {}"), **WRITE)
    bench.succeed(hook, inputs={"path": ".git"}, grants={"write": (".git",)})
    assert (bench.work / ".git/hooks/x").exists()


def test_a_link_that_leads_out_refuses_the_whole_change(bench: Bench) -> None:
    uses = bench.python(
        body(
            "root = pathlib.Path(inputs['path'])\n(root / 'a').write_text('x')\n(root / 'z').symlink_to('../../x')\nreturn {}"
        ),
        **WRITE,
    )
    assert bench.fail(uses, inputs={"path": "src"}, grants={"write": ("src",)}).kind == "permission"
    assert sorted(path.name for path in (bench.work / "src").iterdir()) == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "lines",
    [
        "os.makedirs('s/t')\nos.symlink('../..', 's/t/d')\nos.symlink('s/t/d/../outside', 'bad')",
        "os.symlink('theirs/secret', 'bad')",
        "os.symlink('no/../../outside', 'bad')",
        "os.chdir('..')\nshutil.rmtree(inputs['path'])\nos.symlink('outside', inputs['path'])",
    ],
    ids=["up from a link", "through a link of the host", "up from nowhere", "in place of the folder"],
)
def test_a_link_is_judged_as_it_will_be_followed(bench: Bench, lines: str) -> None:
    """Else a grant that names it later would reach whatever it names."""
    (bench.work / "outside").mkdir()
    (bench.work / "src/theirs").symlink_to(bench.work / "outside")
    uses = bench.python(body(f"os.chdir(inputs['path'])\n{lines}\nreturn {{}}"), **WRITE)
    failure = bench.fail(uses, inputs={"path": "src"}, grants={"write": ("src",)})
    assert failure.details["code"] == "PLY3406"
    assert sorted(path.name for path in (bench.work / "src").iterdir()) == ["a.py", "b.py", "theirs"]


def test_links_that_stay_inside_are_applied(bench: Bench) -> None:
    lines = "os.chdir(inputs['path'])\nos.mkdir('d')\nos.symlink('../a.py', 'd/up')\nos.symlink('d/up', 'chain')\nos.symlink('later', 'dangling')\nreturn {}"
    bench.succeed(bench.python(body(lines), **WRITE), inputs={"path": "src"}, grants={"write": ("src",)})
    assert (bench.work / "src/chain").read_text() == "a = 1\n"
    assert (bench.work / "src/dangling").readlink() == Path("later")


def test_what_changed_on_the_host_meanwhile_is_not_overwritten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyphony_runner.grants.files import Applied, FilePlan

    apply = FilePlan.apply

    def meanwhile(self: FilePlan, work: Path) -> Applied:
        (bench.work / "src/a.py").write_text("a = 'edited by hand'\n")
        return apply(self, work)

    monkeypatch.setattr(FilePlan, "apply", meanwhile)
    uses = bench.python(body("pathlib.Path(inputs['path'], 'a.py').write_text('x')\nreturn {}"), **WRITE)
    failure = bench.fail(uses, inputs={"path": "src"}, grants={"write": ("src",)})
    assert failure.details["code"] == "PLY3405"
    assert (bench.work / "src/a.py").read_text() == "a = 'edited by hand'\n"


def test_a_single_file_and_a_missing_one_can_be_granted_for_writing(bench: Bench) -> None:
    uses = bench.python(body("pathlib.Path(inputs['path']).write_text('made')\nreturn {}"), **WRITE)
    for path in ("src/a.py", "src/new.txt"):
        bench.succeed(uses, inputs={"path": path}, grants={"write": (path,)})
        assert (bench.work / path).read_text() == "made"


def test_a_direct_grant_is_written_at_once_but_not_its_protected_names(bench: Bench) -> None:
    uses = bench.python(
        body(
            "root = pathlib.Path(inputs['path'])\n"
            "(root / 'direct').write_text('x')\n"
            "(root / '.envrc').write_text('x')\n"
            "try:\n    (root / '.git/hooks/x').write_text('x')\n    out = 'wrote'\n"
            "except OSError:\n    out = 'refused'\n"
            "return {'out': out}"
        ),
        **WRITE,
    )
    grants = {"write": ({"path": ".", "mode": "direct"},)}
    assert bench.succeed(uses, inputs={"path": "."}, grants=grants)["out"] == "refused"
    assert (bench.work / "direct").stat().st_uid == os.getuid()
    assert not (bench.work / ".envrc").exists()
    assert len(list(bench.work.glob(".envrc.withheld-*"))) == 1


def test_a_direct_grant_leaves_no_new_link_that_leads_out_and_no_exchanged_protected_one(
    bench: Bench,
) -> None:
    (bench.work / "outside").mkdir()
    (bench.work / "src/theirs").symlink_to("../outside")
    (bench.work / "src/.git").symlink_to("../.git")
    lines = """os.chdir(inputs['path'])
os.makedirs('deep/er')
os.symlink('../../../outside', 'deep/er/bad')
os.symlink('../b.py', 'deep/good')
os.unlink('.git')
os.makedirs('.git/hooks')
return {}"""
    uses = bench.python(body(lines), **WRITE)
    bench.succeed(uses, inputs={"path": "src"}, grants={"write": ({"path": "src", "mode": "direct"},)})
    assert not (bench.work / "src/.git").exists()
    assert not (bench.work / "src/deep/er/bad").is_symlink()
    assert (bench.work / "src/deep/good").read_text() == "b = 2\n"
    assert (bench.work / "src/theirs").readlink() == Path("../outside")
    told = "\n".join(str(message) for message in bench.messages())
    assert "'deep/er/bad'" in told
    assert "withheld" in told


def test_a_direct_grant_guards_protected_names_at_any_depth(bench: Bench) -> None:
    for name in ("src/vendor/.git/hooks", "src/a/b/.vscode"):
        (bench.work / name).mkdir(parents=True)
    (bench.work / "src/a/b/.envrc").write_text("mine")
    lines = """os.chdir(inputs['path'])
out = []
for name in ('vendor/.git/hooks/x', 'a/b/.vscode/x', 'a/b/.envrc'):
    try:
        pathlib.Path(name).write_text('x')
    except OSError:
        out.append(name)
os.makedirs('new/er/.github')
os.symlink('b', 'a/.idea')
os.rename('vendor', 'moved')
os.makedirs('vendor/.git/hooks')
pathlib.Path('vendor/.git/hooks/x').write_text('x')
pathlib.Path('a/fine').write_text('x')
return {'out': out}"""
    uses = bench.python(body(lines), **WRITE)
    grants = {"write": ({"path": "src", "mode": "direct"},)}
    refused = bench.succeed(uses, inputs={"path": "src"}, grants=grants)["out"]
    assert refused == ["vendor/.git/hooks/x", "a/b/.vscode/x", "a/b/.envrc"]
    src = bench.work / "src"
    assert (src / "a/b/.envrc").read_text() == "mine"
    assert (src / "a/fine").exists()
    for path in ("new/er/.github", "a/.idea", "vendor/.git", "moved/.git"):
        assert not os.path.lexists(src / path), path
        (aside,) = (src / path).parent.glob(f"{(src / path).name}.withheld-*")
        assert os.path.lexists(aside)
    assert (src / "a/b/.vscode").is_dir()


def test_a_folder_with_too_much_to_guard_is_not_granted_directly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "MOST_PROTECTED", 2)
    for number in range(3):
        (bench.work / f"src/p{number}/.git").mkdir(parents=True)
    uses = bench.python(body("return {}"), **WRITE)
    grants = {"write": ({"path": "src", "mode": "direct"},)}
    failure = bench.fail(uses, inputs={"path": "src"}, grants=grants)
    assert (failure.kind, failure.retryable) == ("permission", False)


def test_names_inside_clash_in_the_order_of_the_host_paths(bench: Bench) -> None:
    for name in ("x/lib", "y/lib"):
        (bench.work / name).mkdir(parents=True)
        (bench.work / name / "me").write_text(name)
    uses = bench.python(
        body("return {'out': [pathlib.Path('/src', n, 'me').read_text() for n in ('lib', 'lib-2')]}"),
        outputs={"out": ANY},
    )
    assert bench.succeed(uses, grants={"read": ("y/lib", "x/lib")})["out"] == ["x/lib", "y/lib"]


def test_models_are_compared_before_the_node_starts(bench: Bench) -> None:
    declared: dict[str, Any] = {"permissions": {"models": "granted"}}
    uses = bench.python(body("return {}"), **declared)
    grants = {"models": ("local",)}
    assert bench.succeed(uses, parameters={"model": ["local"]}, grants=grants) == {}
    assert bench.fail(uses, parameters={"model": ["local", "other"]}, grants=grants).kind == "permission"


def test_a_host_that_fails_is_a_failure_of_the_node(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "copy")

    monkeypatch.setattr("polyphony_runner.grants.copies.copy_file", full)
    failure = bench.fail(
        bench.python(body("return {}"), **WRITE), inputs={"path": "src"}, grants={"write": ("src",)}
    )
    assert (failure.kind, failure.details["code"]) == ("disk", "PLY3511")
