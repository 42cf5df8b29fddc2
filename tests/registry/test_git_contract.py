"""What every ``GitService`` must do, driven by a real git client over real HTTP."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from support.registry_packs import commit_of, push_body, tree_object, write_object
from support.registry_running import Publisher, Running, git, head, http

TYPE = "application/x-git-receive-pack-request"


def url_of(registry: Running, publisher: Publisher, name: str) -> str:
    return registry.git_url(f"{publisher.owner}/{name}")


def test_a_pushed_branch_can_be_cloned_by_anybody(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    url = url_of(registry, publisher, "shout")
    assert publisher.push(url, tree, "main").returncode == 0
    for number, options in enumerate(([], ["--depth", "1"], ["-c", "protocol.version=0"])):
        copy = tmp_path / str(number)
        subprocess.run(["git", "clone", "--quiet", *options, url, str(copy)], check=True)
        assert head(copy) == head(tree)
        assert git(copy, "fsck", "--strict") == ""


def test_a_chunked_push_of_a_large_pack_arrives(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("large", {"data.bin": os.urandom(3 << 20)})
    git(tree, "config", "http.postBuffer", "65536")
    done = publisher.push(url_of(registry, publisher, "large"), tree, "main")
    assert done.returncode == 0, done.stderr


def test_fetches_what_is_new_after_many_commits(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    url = url_of(registry, publisher, "shout")
    publisher.push(url, tree, "main")
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", url, str(copy)], check=True)
    for number in range(40):
        publisher.work_tree("shout", {"n.txt": str(number)})
    publisher.push(url, tree, "main")
    git(copy, "fetch", "--quiet")
    assert git(copy, "rev-parse", "origin/main") == head(tree)


def test_pushing_needs_a_token_for_that_namespace(
    registry: Running, publisher: Publisher, tmp_path: Path
) -> None:
    tree = publisher.work_tree("shout")
    nobody = Publisher(tmp_path, "ply_" + "0" * 38, publisher.owner)
    assert nobody.push(url_of(registry, publisher, "shout"), tree, "main").returncode != 0
    elsewhere = publisher.push(registry.git_url("acme/shout"), tree, "main")
    assert elsewhere.returncode != 0 and "403" in elsewhere.stderr
    reader = registry.invite("reader", publisher.owner, scopes=["read"])
    done = Publisher(tmp_path, reader.token, publisher.owner).push(
        url_of(registry, publisher, "shout"), tree, "main"
    )
    assert done.returncode != 0 and "403" in done.stderr
    assert (
        http(f"{registry.url}/git/{publisher.owner}/shout.git/info/refs?service=git-upload-pack").status
        == 404
    )


@pytest.mark.parametrize(
    ("ref", "code"),
    [("refs/tags/v9.0.0", "PLY4303"), ("refs/tags/x", "PLY4302"), ("refs/staging/" + "0" * 40, "PLY4302")],
)
def test_refs_that_the_registry_keeps_for_itself(
    registry: Running, publisher: Publisher, ref: str, code: str
) -> None:
    tree = publisher.work_tree("shout")
    done = publisher.push(url_of(registry, publisher, "shout"), tree, f"HEAD:{ref}")
    assert done.returncode != 0
    assert code in done.stderr
    if ref.startswith("refs/tags/v"):
        assert "hint: polyphony publish" in done.stderr


def test_branches_move_forward_only_and_are_not_deleted(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    url = url_of(registry, publisher, "shout")
    publisher.push(url, tree, "main")
    git(tree, "commit", "--quiet", "--amend", "--message", "Rewritten")
    assert publisher.push(url, tree, "+main").returncode != 0
    assert publisher.push(url, tree, ":main").returncode != 0


def test_refuses_more_objects_than_the_limit_before_git_starts(
    registry: Running, publisher: Publisher
) -> None:
    body = push_body("1" * 40, [], count=20_001)
    answer = http(
        url_of(registry, publisher, "flood") + "/git-receive-pack",
        method="POST",
        token=publisher.token,
        body=body,
        headers={"Content-Type": TYPE},
    )
    assert (answer.status, answer.json()["code"]) == (413, "PLY4304")


def test_refuses_a_body_that_unpacks_beyond_the_limit(registry: Running, publisher: Publisher) -> None:
    bomb = gzip.compress(bytes(80 << 20))
    answer = http(
        url_of(registry, publisher, "bomb") + "/git-receive-pack",
        method="POST",
        token=publisher.token,
        body=bomb,
        headers={"Content-Type": TYPE, "Content-Encoding": "gzip"},
    )
    assert (answer.status, answer.json()["code"]) == (413, "PLY4307")


def test_refuses_a_small_pack_with_a_huge_object_and_keeps_nothing(
    registry: Running, publisher: Publisher
) -> None:
    tree = publisher.work_tree("zeros", {"zeros.bin": bytes(12 << 20)})
    done = publisher.push(url_of(registry, publisher, "zeros"), tree, "main")
    assert done.returncode != 0
    assert "PLY4305" in done.stderr
    kept = registry.settings.repositories / publisher.owner / "zeros.git" / "objects"
    assert not [path for path in kept.rglob("*") if path.is_file()]


def test_refuses_trees_that_git_takes_and_packages_may_not_have(
    registry: Running, publisher: Publisher
) -> None:
    blob = b"x\n"
    for name, members in {
        "collision": [("100644", b"A", ""), ("100644", b"a", "")],
        "escaping": [("120000", b"link", "../../etc/passwd")],
        "device": [("100644", b"con.txt", "")],
        "submodule": [("160000", b"vendored", "1" * 40)],
    }.items():
        tree = publisher.work_tree(name)
        listed = [
            (mode, path, target if mode == "160000" else write_object(tree, "blob", target.encode() or blob))
            for mode, path, target in members
        ]
        commit = commit_of(tree, tree_object(tree, listed))
        done = publisher.push(url_of(registry, publisher, name), tree, f"{commit}:refs/heads/main")
        assert done.returncode != 0, name
        assert "PLY4306" in done.stderr, done.stderr


def test_refuses_trees_that_fsck_knows_to_be_dangerous(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("dotgit")
    inner = tree_object(tree, [("100644", b"config", write_object(tree, "blob", b"[core]\n"))])
    commit = commit_of(tree, tree_object(tree, [("40000", b".git", inner)]))
    done = publisher.push(url_of(registry, publisher, "dotgit"), tree, f"{commit}:refs/heads/main")
    assert done.returncode != 0
    assert "hasDotgit" in done.stderr


def test_requests_that_are_no_git_are_refused(registry: Running, publisher: Publisher) -> None:
    base = url_of(registry, publisher, "odd")
    assert http(f"{base}/info/refs").status == 403
    for body in (b"", b"zzzz", b"0003", b"0008abcd0000NOPE12345678"):
        answer = http(
            f"{base}/git-receive-pack",
            method="POST",
            token=publisher.token,
            body=body or b" ",
            headers={"Content-Type": TYPE},
        )
        assert (answer.status, answer.json()["code"]) == (400, "PLY4309")
    assert http(f"{base}/git-upload-pack", method="POST", body=b"0000").status in {404, 415}
