"""``git clone URL`` of a published package gives a work tree: the newest version, without any tool of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.registry_running import Publisher, Running, git, head


def clone(registry: Running, publisher: Publisher, target: Path) -> Path:
    url = registry.git_url(f"{publisher.owner}/shout")
    done = subprocess.run(
        ["git", "clone", url, str(target)], capture_output=True, text=True, check=True, timeout=120
    )
    assert "unable to checkout" not in done.stderr
    return target


def tree_of(work_tree: Path, home: Path) -> str:
    """What ``polyphony verify`` computes for a folder; its home knows no registry."""
    done = subprocess.run(
        [sys.executable, "-m", "polyphony_cli.main", "--json", "--home", str(home), "verify", str(work_tree)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        timeout=120,
    )
    return str(json.loads(done.stdout)["tree"])


def test_a_clone_is_checked_out_and_has_the_published_tree(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    first = publisher.publish(registry.url, publisher.work_tree("shout")).json()
    copy = clone(registry, publisher, tmp_path / "first")
    assert git(copy, "branch", "--show-current") == "main"
    assert tree_of(copy, tmp_path / "home") == first["tree"]

    tree = publisher.work_tree("shout", {"more.txt": "more"}, version="1.1.0")
    second = publisher.publish(registry.url, tree).json()
    assert tree_of(clone(registry, publisher, tmp_path / "second"), tmp_path / "home") == second["tree"]
    git(copy, "pull", "--quiet", "--ff-only")
    assert head(copy) == head(tree)


def test_a_branch_that_the_publisher_moved_further_stays_there(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    published = head(tree)
    publisher.work_tree("shout", {"next.txt": "not published"})
    further = head(tree)
    url = registry.git_url(f"{publisher.owner}/shout")
    assert publisher.push(url, tree, "main", "main:topic").returncode == 0
    git(tree, "checkout", "--quiet", "--detach", published)
    assert publisher.publish(registry.url, tree).status == 201
    copy = clone(registry, publisher, tmp_path / "copy")
    assert head(copy) == further
    assert git(copy, "rev-parse", "v1.0.0") == published


def test_a_branch_with_another_history_stays_where_the_publisher_pushed_it(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    url = registry.git_url(f"{publisher.owner}/shout")
    assert publisher.push(url, tree, "main").returncode == 0
    pushed = head(tree)
    git(tree, "checkout", "--quiet", "--orphan", "release")
    publisher.commit(tree)
    assert publisher.publish(registry.url, tree).status == 201
    copy = clone(registry, publisher, tmp_path / "copy")
    assert head(copy) == pushed


def test_an_older_line_of_versions_does_not_move_the_branch_back(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    publisher.publish(registry.url, tree)
    git(tree, "branch", "old")
    newest = publisher.publish(registry.url, publisher.work_tree("shout", version="2.0.0")).json()
    git(tree, "checkout", "--quiet", "old")
    assert publisher.publish(registry.url, publisher.work_tree("shout", version="1.0.1")).status == 201
    copy = clone(registry, publisher, tmp_path / "copy")
    assert tree_of(copy, tmp_path / "home") == newest["tree"]


def test_the_publisher_can_push_the_branch_that_publishing_made(
    registry: Running, publisher: Publisher
) -> None:
    tree = publisher.work_tree("shout")
    assert publisher.publish(registry.url, tree).status == 201
    publisher.work_tree("shout", {"next.txt": "next"})
    done = publisher.push(registry.git_url(f"{publisher.owner}/shout"), tree, "main")
    assert done.returncode == 0, done.stderr
