"""From a work tree to another person's store, over a real registry, and one changed byte anywhere on the way."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polyphony_runner.package_files import read_commit
from support.client_cli import Said, Scene, polyphony, scene
from support.registry_running import git


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture
def home(stage: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return stage.reader(tmp_path / "reader")


def test_what_was_published_is_installed_verified_and_cloned_with_the_same_tree(
    stage: Scene, home: Path, tmp_path: Path
) -> None:
    installed = polyphony(home, "install", "acme/greet")
    assert installed.status == 0, installed.out
    greet, loud = installed.json["installed"]
    assert (greet["name"], loud["name"]) == ("acme/greet", "acme/loud")
    assert set(greet) == {"name", "version", "tree", "signer", "log_index", "permissions"}

    verified = polyphony(home, "verify", "acme/greet").json
    assert verified["ok"]
    assert verified["tree"] == greet["tree"]
    steps = [step["step"] for step in verified["steps"]]
    assert steps == ["name", "checkpoint", "history", "bundle", "statement", "policy", "content", "store"]

    clone = tmp_path / "clone"
    git(
        tmp_path,
        "clone",
        "--quiet",
        f"{stage.running.url}/git/acme/greet.git",
        str(clone),
        "--branch",
        "v1.0.0",
    )
    assert read_commit(clone, "HEAD").tree == greet["tree"]
    by_path = polyphony(home, "verify", str(clone))
    assert by_path.status == 0
    assert by_path.json["tree"] == greet["tree"]

    assert polyphony(home, "verify", str(home / "melody.lock")).json["ok"]
    assert polyphony(home, "--offline", "verify", "acme/greet").json["ok"]
    archive = stage.published(f"archive/{greet['tree']}.tar.gz")
    assert polyphony(home, "verify", str(archive)).json["ok"]


def test_a_folder_that_nobody_published_has_a_tree_and_a_failed_step(home: Path, tmp_path: Path) -> None:
    (tmp_path / "melody").mkdir()
    (tmp_path / "melody" / "melody.yaml").write_text("melody: v1\nname: x\nversion: 1.0.0\nnodes: {}\n")
    said = polyphony(home, "verify", str(tmp_path / "melody"))
    assert said.status == 1
    (step,) = said.json["steps"]
    assert (step["step"], step["code"], step["hint"]) == ("name", "PLY5101", "polyphony publish")
    assert len(said.json["tree"]) == 64


def test_search_info_and_whoami(stage: Scene, home: Path) -> None:
    assert [one["name"] for one in polyphony(home, "search", "loudly").json["results"]].count(
        "acme/loud"
    ) == 1
    info = polyphony(home, "info", "acme/loud").json
    assert info["versions"][0]["version"] == "1.0.0"
    assert info["versions"][0]["signer"] in info["signers"]
    assert polyphony(stage.author, "whoami").json["registry"] == "registry.test"
    assert polyphony(home, "whoami").error["code"] == "PLY6404"


def test_uninstalling_takes_the_root_and_its_dependencies(home: Path) -> None:
    polyphony(home, "install", "acme/greet")
    said = polyphony(home, "uninstall", "acme/greet")
    assert said.json["uninstalled"] == ["acme/greet@1.0.0", "acme/loud@1.0.0"]
    assert polyphony(home, "uninstall", "acme/greet").error["code"] == "PLY6602"


def test_a_dry_run_needs_neither_registry_nor_owner_and_lists_every_problem(
    stage: Scene, tmp_path: Path
) -> None:
    nobody = tmp_path / "nobody"
    tree = stage.work_tree("dry")
    said = polyphony(nobody, "publish", str(tree), "--dry-run")
    assert said.status == 0
    assert said.json["dry_run"] is True
    assert said.json["name"] == "dry"
    assert len(said.json["tree"]) == len(said.json["permissions"]) == 64
    (tree / "CON.txt").write_text("a device on another system")
    (tree / "extension.yaml").write_text("extension: v1\nname: dry\nversion: 1.0.0\nkind: operator\n")
    said = polyphony(nobody, "publish", str(tree), "--dry-run")
    assert said.status == 1
    codes = {problem["code"] for problem in said.json["problems"]}
    assert {"PLY5703", "PLY6708"} <= codes
    assert len(codes) > 2
    assert all(problem["hint"] for problem in said.json["problems"])


def test_a_version_is_published_once(stage: Scene) -> None:
    tree = stage.work_tree("once")
    assert stage.publish(tree).status == 0
    assert stage.publish(tree).status == 0, "the very same version again is no difference"
    (tree / "README.md").write_text("changed")
    git(tree, "commit", "--quiet", "--all", "--message", "Change")
    said = stage.publish(tree)
    assert said.status == 1
    assert said.error["code"].startswith("PLY4")
    assert "once" in said.error["message"]


def test_a_namespace_without_a_signer_asks_before_it_takes_one(stage: Scene, tmp_path: Path) -> None:
    invitation = stage.running.invite("bob", "bobs")
    bob = tmp_path / "bob"
    polyphony(bob, "key", "new", "k", "--type", "p256")
    polyphony(bob, "login", stage.running.url, "--token-stdin", stdin=invitation.token)
    tree = stage.work_tree("bobby")
    said = polyphony(bob, "publish", str(tree))
    assert (said.status, said.error["code"]) == (2, "PLY6713")
    assert "--enrol" in said.error["hint"]
    said = polyphony(bob, "publish", str(tree), "--enrol")
    assert said.json["name"] == "bobs/bobby"
    assert said.json["statement"]["predicate"]["tree"] == said.json["tree"]


def test_publishing_needs_a_commit_a_login_and_a_key(stage: Scene, tmp_path: Path) -> None:
    tree = stage.work_tree("needs")
    assert polyphony(tmp_path / "a", "publish", str(tree)).error["code"] == "PLY6404"
    shutil.copy(stage.author / "credentials.json", _folder(tmp_path / "b") / "credentials.json")
    assert polyphony(tmp_path / "b", "publish", str(tree), "--owner", "acme").error["code"] == "PLY6307"
    shutil.rmtree(tree / ".git")
    said = stage.publish(tree)
    assert [problem["code"] for problem in said.json["problems"]] == ["PLY6708"]


def test_a_namespace_of_somebody_else_is_refused_in_words(stage: Scene) -> None:
    said = stage.publish(stage.work_tree("foreign"), "--owner", "polyphony")
    assert said.status == 1
    assert said.error["code"] == "PLY6714"
    assert "foreign" in said.error["message"]


def test_a_wrong_token_is_refused_and_never_shown(stage: Scene, tmp_path: Path) -> None:
    token = "ply_" + "A" * 38
    said = polyphony(tmp_path / "x", "login", stage.running.url, "--token-stdin", stdin=token)
    assert said.status == 1
    assert token not in said.out + said.err
    assert not (tmp_path / "x" / "credentials.json").exists()
    assert stat.S_IMODE((stage.author / "credentials.json").stat().st_mode) == 0o600


def test_a_registry_without_a_log_key_is_not_added_without_a_person(stage: Scene, tmp_path: Path) -> None:
    said = polyphony(tmp_path / "x", "registry", "add", stage.running.url, "--namespace", "acme")
    assert (said.status, said.error["code"]) == (2, "PLY6506")
    assert stage.running.owner.log_key in said.error["hint"]
    assert polyphony(tmp_path / "x", "registry", "list").json == {"registries": []}


def test_another_address_of_the_same_registry_may_be_asked(stage: Scene, home: Path) -> None:
    other = stage.running.url.replace("127.0.0.1", "localhost")
    assert polyphony(home, "--registry", other, "install", "acme/loud").status == 0
    said = polyphony(home, "--registry", "http://127.0.0.1:9", "install", "acme/loud")
    assert said.status == 1


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    return path


def flip(path: Path, at: int | None = None) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    place = len(data) // 2 if at is None else at
    data[place] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


@pytest.fixture
def tampered() -> Iterator[Callable[..., None]]:
    """Flips one byte of a served file, and puts it back afterwards."""
    kept: list[tuple[Path, bytes]] = []

    def change(path: Path, at: int | None = None) -> None:
        kept.append((path, path.read_bytes()))
        flip(path, at)

    yield change
    for path, data in kept:
        path.write_bytes(data)


def refused(said: Said, code: str) -> None:
    assert said.status == 1, said.out
    assert said.error["code"] == code, said.error
    assert said.error["hint"]


def tree_of(home: Path, name: str) -> str:
    found = polyphony(home, "info", name).json["versions"][0]["tree"]
    assert isinstance(found, str)
    return found


def test_one_byte_of_the_store(home: Path) -> None:
    polyphony(home, "install", "acme/loud")
    flip(home / "store" / tree_of(home, "acme/loud") / "node.py")
    said = polyphony(home, "verify", "acme/loud")
    assert said.status == 1
    assert [step["code"] for step in said.json["steps"] if not step["ok"]] == ["PLY5902"]
    assert polyphony(home, "install").status == 0
    assert polyphony(home, "verify", "acme/loud").json["ok"]


def test_one_byte_of_the_archive(stage: Scene, home: Path, tampered: Callable[..., None]) -> None:
    tampered(stage.published(f"archive/{tree_of(home, 'acme/loud')}.tar.gz"))
    refused(polyphony(home, "install", "acme/loud"), "PLY5702")
    assert not (home / "store").exists()
    assert not (home / "melody.lock").exists()


def test_one_byte_of_the_bundle(stage: Scene, home: Path, tampered: Callable[..., None]) -> None:
    for bundle in stage.published("bundle").iterdir():
        tampered(bundle)
    refused(polyphony(home, "install", "acme/loud"), "PLY5401")


def test_one_byte_of_the_index(stage: Scene, home: Path, tampered: Callable[..., None]) -> None:
    tampered(stage.published("index/acme/loud.jsonl"))
    refused(polyphony(home, "install", "acme/loud"), "PLY5302")


def test_one_byte_of_the_checkpoint(stage: Scene, home: Path, tampered: Callable[..., None]) -> None:
    text = stage.published("log/checkpoint").read_bytes()
    tampered(stage.published("log/checkpoint"), text.index(b"\n\n") - 10)
    refused(polyphony(home, "install", "acme/loud"), "PLY5202")


def test_one_byte_of_the_log(stage: Scene, home: Path, tampered: Callable[..., None]) -> None:
    polyphony(home, "install", "acme/loud")
    assert stage.publish(stage.work_tree("later")).status == 0
    for tile in stage.published("log/tile/0").rglob("*"):
        if tile.is_file():
            tampered(tile, 0)
    refused(polyphony(home, "install", "acme/later"), "PLY5206")
    assert list(home.rglob("fork-*.json"))


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        ("tree", "PLY5901"),
        ("signer", "PLY5901"),
        ("bundle", "PLY5901"),
        ("checkpoint", "PLY6603"),
        (None, "PLY6601"),
    ],
)
def test_one_byte_of_the_lock(home: Path, fact: str | None, code: str) -> None:
    polyphony(home, "install", "acme/loud")
    path = home / "melody.lock"
    text = path.read_bytes()
    if fact is None:
        flip(path, 0)
    elif fact == "checkpoint":
        flip(path, text.index(b'"checkpoint": "registry.test/log') + 40)
    else:
        place = text.index(f'"{fact}": "'.encode()) + len(fact) + 8
        other = b"0" if text[place : place + 1] != b"0" else b"1"
        path.write_bytes(text[:place] + other + text[place + 1 :])
    before = path.read_bytes()
    refused(polyphony(home, "install", "--frozen"), code)
    refused(polyphony(home, "install", "acme/loud"), code)
    assert path.read_bytes() == before
