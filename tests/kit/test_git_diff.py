"""What changed in a work tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support.kit_packages import Kit


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def repository(folder: Path) -> Path:
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "kept.txt").write_text("one\ntwo\n")
    (folder / "gone.txt").write_text("bye\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "First")
    return folder


def test_shows_changed_removed_and_new_files(kit: Kit, project: Path) -> None:
    repository(project)
    (project / "kept.txt").write_text("one\n2\n3\n")
    (project / "gone.txt").unlink()
    (project / "new ü.txt").write_text("hello\n")
    (project / ".gitignore").write_text("ignored\n")
    (project / "ignored").write_text("x")
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    given = kit.succeed("git-diff", inputs={"path": str(project)})
    assert given["files"] == [
        {"path": ".gitignore", "status": "added", "added": 1, "removed": 0},
        {"path": "gone.txt", "status": "removed", "added": 0, "removed": 1},
        {"path": "kept.txt", "status": "changed", "added": 2, "removed": 1},
        {"path": "new ü.txt", "status": "added", "added": 1, "removed": 0},
    ]
    assert "+hello" in given["diff"]
    assert "-two" in given["diff"]
    assert len(given["base"]) == 40
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*")}


def test_compares_with_any_revision_and_cuts_at_a_line(kit: Kit, project: Path) -> None:
    repository(project)
    (project / "kept.txt").write_text("".join(f"{n}\n" for n in range(1000)))
    git(project, "commit", "--quiet", "-am", "Second")
    assert kit.succeed("git-diff", inputs={"path": str(project)})["diff"] == ""
    words = {"base": "HEAD~1", "max_bytes": 300}
    given = kit.succeed("git-diff", inputs={"path": str(project)}, parameters=words)
    assert given["diff"].endswith("\n[the rest of this diff was left out]\n")
    assert len(given["diff"]) < 400


def test_a_repository_without_commits_is_compared_with_nothing(kit: Kit, project: Path) -> None:
    git(project, "init", "--quiet")
    (project / "first.txt").write_text("1\n")
    given = kit.succeed("git-diff", inputs={"path": str(project)})
    assert [file["path"] for file in given["files"]] == ["first.txt"]


def test_a_plain_folder_has_no_changes(kit: Kit, project: Path) -> None:
    assert kit.succeed("git-diff", inputs={"path": str(project)}) == {"diff": "", "files": [], "base": ""}


def test_a_revision_that_is_none_is_a_configuration_error(kit: Kit, project: Path) -> None:
    repository(project)
    failed = kit.fail("git-diff", inputs={"path": str(project)}, parameters={"base": "--output=x"})
    assert failed.kind == "configuration"


def test_a_change_of_equal_size_in_the_moment_of_the_commit_is_seen(kit: Kit, project: Path) -> None:
    repository(project)
    index, kept = project / ".git" / "index", project / "kept.txt"
    git(project, "config", "core.checkStat", "minimal")  # as where inode and change time say nothing
    git(project, "config", "core.trustctime", "false")
    committed = kept.stat()
    kept.write_text(kept.read_text().swapcase())
    for place in (index, kept):
        os.utime(place, ns=(committed.st_mtime_ns, committed.st_mtime_ns))
    given = kit.succeed("git-diff", inputs={"path": str(project)})
    assert [file["path"] for file in given["files"]] == ["kept.txt"]


def test_programs_that_the_repository_names_are_not_started(kit: Kit, project: Path) -> None:
    repository(project)
    (project / ".gitattributes").write_text("*.txt diff=evil\n")
    for key in ("diff.evil.textconv", "diff.evil.command", "core.fsmonitor", "diff.external"):
        git(project, "config", key, "sh -c 'echo started >&2; echo started'")
    (project / "kept.txt").write_text("changed\n")
    given = kit.succeed("git-diff", inputs={"path": str(project)})
    assert "+changed" in given["diff"]
    assert "started" not in given["diff"] + kit.log()
