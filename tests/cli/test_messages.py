"""What a newcomer reads when something is in the way: what was got, what is expected, what to do next."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from polyphony_cli.app import run
from support.client_cli import Scene, polyphony, scene
from support.registry_running import git


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture
def home(stage: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return stage.reader(tmp_path / "reader")


def problem(tree: Path) -> dict[str, str]:
    """Why a folder cannot be published, the first reason."""
    said = polyphony(tree.parent / "home", "publish", str(tree), "--dry-run")
    found: dict[str, str] = said.json["problems"][0]
    assert (said.status, found["code"]) == (1, "PLY6708")
    return found


def test_publishing_says_which_files_are_not_committed(stage: Scene) -> None:
    tree = stage.work_tree("changed")
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tree / name).write_text("new")
    (tree / "README.md").write_text("changed")
    found = problem(tree)
    assert found["message"].startswith("'README.md', 'a.txt', 'b.txt' and 2 more in ")
    assert ".gitignore" in found["hint"]


def test_publishing_tells_a_missing_commit_from_a_missing_repository(tmp_path: Path) -> None:
    tree = tmp_path / "my package"
    polyphony(tmp_path / "home", "new", "melody", str(tmp_path / "hello"))
    (tmp_path / "hello").rename(tree)
    outside = problem(tree)
    assert "is in no git work tree" in outside["message"]
    assert outside["hint"].startswith(f"cd '{tree}' && git init && git add . && git commit")
    git(tree, "init", "--quiet")
    empty = problem(tree)
    assert "has no commit" in empty["message"]
    assert "git init" not in empty["hint"]
    inside = problem(tree / "nodes" / "shout")
    assert f"lies inside the git work tree {tree}" in inside["message"]


def test_a_push_into_a_foreign_namespace_says_so(stage: Scene) -> None:
    said = stage.publish(stage.work_tree("foreign"), "--owner", "somebody")
    assert said.error["code"] == "PLY6714"
    assert said.error["message"].endswith("the token may not publish into 'somebody'")
    assert "registry user add NAME --namespace somebody" in said.error["hint"]


@pytest.mark.parametrize("verb", ["install", "info"])
def test_a_mistyped_package_is_answered_with_the_nearest(home: Path, verb: str) -> None:
    error = polyphony(home, verb, "acme/lowd").error
    assert error["code"] == "PLY5303"
    assert error["hint"].startswith("did you mean 'acme/loud'? ")


def test_a_mistyped_package_to_verify_is_answered_with_the_nearest(home: Path) -> None:
    said = polyphony(home, "verify", "acme/lowd")
    assert said.status == 1
    step = said.json["steps"][-1]
    assert step["code"] == "PLY5303"
    assert step["hint"].startswith("did you mean 'acme/loud'?")


def test_a_mistyped_melody_to_run_is_answered_with_the_nearest_that_is_installed(home: Path) -> None:
    assert polyphony(home, "install", "acme/greet", "--global").status == 0
    error = polyphony(home, "run", "acme/grete").error
    assert (error["code"], error["hint"]) == (
        "PLY6602",
        "did you mean 'acme/greet'? polyphony install acme/grete",
    )


def test_a_mistyped_namespace_is_answered_with_the_nearest(home: Path) -> None:
    error = polyphony(home, "install", "acne/loud").error
    assert (error["code"], error["details"]["step"]) == ("PLY5102", 1)
    assert error["hint"].startswith("did you mean 'acme'?; polyphony registry add URL ")


def test_a_name_without_owner_says_whose_it_is_taken_for(home: Path) -> None:
    hint = polyphony(home, "install", "loud").error["hint"]
    assert hint.startswith("bound here: acme; ")
    assert "--namespace polyphony binds 'polyphony', for which a name without an owner stands" in hint


@pytest.mark.parametrize("verb", ["install", "update", "uninstall", "info"])
def test_a_path_where_a_name_is_wanted_is_a_wrong_call(home: Path, verb: str) -> None:
    said = polyphony(home, verb, "./loud")
    assert (said.status, said.error["code"]) == (2, "PLY7001")
    assert said.error["hint"].startswith("polyphony run ./loud runs a folder")


def test_installing_what_no_lock_names_is_refused(home: Path) -> None:
    error = polyphony(home, "install").error
    assert error["code"] == "PLY6602"
    assert error["message"] == f"there is no lock at {home / 'melody.lock'} to install from"


def test_ages_are_said_as_people_say_them(home: Path, stage: Scene) -> None:
    error = polyphony(home, "install", "acme/loud", "--minimum-age", "72h").error
    assert error["code"] == "PLY5603"
    assert error["message"].endswith(" ago, the minimum age is 3d)")


def test_a_registry_that_does_not_run_is_named_with_what_starts_it(tmp_path: Path) -> None:
    error = polyphony(
        tmp_path, "login", "http://127.0.0.1:1", "--token-stdin", stdin=f"ply_{'a' * 38}\n"
    ).error
    assert error["message"] == "http://127.0.0.1:1 cannot be reached: connection refused"
    assert error["hint"].startswith("polyphony registry serve starts a registry on this machine")


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("localhost:8440", "http://localhost:8440"),
        ("127.0.0.1:8440", "http://127.0.0.1:8440"),
        ("registry.example", "https://registry.example"),
    ],
)
def test_an_address_without_scheme_is_answered_with_the_likely_one(
    tmp_path: Path, address: str, meant: str
) -> None:
    assert polyphony(tmp_path, "login", address).error["hint"] == f"did you mean '{meant}'?"


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    assert polyphony(tmp_path / "home", "new", "melody", str(tmp_path / "hello")).status == 0
    return tmp_path / "hello"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--input", "name=@none"), "'none' cannot be read: no such file", "NAME=@FILE reads a file"),
        (("--input", "name=\udcff"), "is not text in UTF-8", "declared inputs: name"),
        (("--inputs", "none.json"), "cannot be read as JSON: no such file", "one JSON object"),
        (("--inputs", "hello/melody.yaml"), "cannot be read as JSON: Expecting value", "one JSON object"),
        (("--inputs", "list.json"), "'list.json' holds an array, expected an object", "one JSON object"),
    ],
)
def test_inputs_that_cannot_be_read_are_a_wrong_call(
    hello: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str, hint: str
) -> None:
    monkeypatch.chdir(hello.parent)
    Path("list.json").write_text("[1]")
    said = polyphony(hello.parent / "home", "run", str(hello), *words)
    assert (said.status, said.error["code"]) == (2, "PLY2403")
    assert message in said.error["message"]
    assert hint in said.error["hint"]


def test_a_run_says_what_stands_where_a_melody_was_expected(hello: Path) -> None:
    home = hello.parent / "home"
    extension = polyphony(home, "run", str(hello / "nodes" / "shout")).error
    assert "holds an extension, expected a melody" in extension["message"]
    assert "there is no such file or folder" in polyphony(home, "run", "./nothing").error["message"]
    assert polyphony(home, "run", str(hello), "--work", "/nothing").error["hint"]


def test_a_folder_that_cannot_be_made_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = polyphony(tmp_path / "home", "new", "melody", str(tmp_path / "file" / "hello")).error
    assert error["code"] == "PLY7314"
    assert error["message"].endswith("cannot be made: not a directory")


def test_logs_of_a_node_that_is_not_there_name_the_nearest(hello: Path) -> None:
    home = hello.parent / "home"
    run = polyphony(home, "run", str(hello)).json["run"]
    error = polyphony(home, "logs", run, "shuot").error
    assert (error["code"], error["hint"]) == ("PLY2419", "did you mean 'shout'?")
    assert polyphony(home, "logs", run, "shout").status == 0


def test_a_machine_that_cannot_isolate_is_sent_to_the_doctor(
    hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyphony_runner.sandbox.machine.bwrap_path", lambda: "")
    monkeypatch.setattr("polyphony_runner.sandbox.landlock.abi", lambda: 0)
    monkeypatch.setattr("polyphony_runner.sandbox.preflight.wasm_engine", lambda: False)
    monkeypatch.setattr("polyphony_runner.sandbox.preflight._kept", {})
    said = polyphony(hello.parent / "home", "run", str(hello))
    assert said.json["error"]["kind"] == "unavailable", said
    assert "hint: polyphony doctor says what is missing, and how to mend it" in said.err


def test_a_package_that_could_not_be_written_whole_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    error = polyphony(tmp_path / "home", "new", "melody", str(tmp_path / "hello")).error
    assert (error["code"], error["message"].rpartition(": ")[2]) == ("PLY7314", "no space left on device")
    assert not (tmp_path / "hello").exists()


def test_another_server_at_the_address_is_no_registry(tmp_path: Path) -> None:
    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        token = f"ply_{'a' * 38}\n"
        error = polyphony(tmp_path, "login", url, "--token-stdin", stdin=token).error
    finally:
        server.shutdown()
        server.server_close()
    assert error["code"] == "PLY6407"
    assert error["message"].endswith("answered 404: no Polyphony registry is served there")


def test_a_token_that_is_not_known_says_where_another_comes_from(stage: Scene, tmp_path: Path) -> None:
    said = polyphony(tmp_path, "login", stage.running.url, "--token-stdin", stdin=f"ply_{'a' * 38}\n")
    assert said.error["code"] == "PLY4101"
    assert "polyphony registry user add NAME prints another" in said.error["hint"]


def test_a_token_that_expired_since_login_is_said_at_publishing(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        database = sqlite3.connect(stage.running.settings.data / "registry.sqlite")
        database.execute("UPDATE token SET expires = 1")
        database.commit()
        database.close()
        error = stage.publish(stage.work_tree("late"), "--owner", "acme").error
    assert error["code"] == "PLY6714"
    assert error["message"].endswith("the token is not valid any more")
    assert error["hint"] == "polyphony login URL keeps another"


def test_the_same_version_published_twice_at_once_is_published_once(stage: Scene) -> None:
    tree = stage.work_tree("twins")
    call = "import sys; from polyphony_cli.app import run; sys.exit(run(sys.argv[1:]))"
    words = ["--json", "--home", str(stage.author), "publish", str(tree), "--owner", "acme"]
    both = [
        subprocess.Popen([sys.executable, "-c", call, *words], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    documents = [json.loads(one.communicate(timeout=120)[0]) for one in both]
    assert len({document["log_index"] for document in documents}) == 1, documents


def test_an_interrupted_call_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polyphony_cli.app.cli.main", interrupt)
    assert run(["runs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://registry.example", True),
        ("http://127.evil.example", True),
        ("http://10.0.0.1:8080", True),
        ("http://[::1]:1", False),
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
    ],
)
def test_a_token_goes_unencrypted_to_this_machine_alone(tmp_path: Path, url: str, refused: bool) -> None:
    said = polyphony(tmp_path, "--offline", "login", url, "--token-stdin", stdin=f"ply_{'a' * 38}\n")
    assert (said.error["code"] == "PLY6410") is refused
    insecure = ("login", url, "--token-stdin", "--unsafe-plain-http")
    flagged = polyphony(tmp_path, "--offline", *insecure, stdin=f"ply_{'a' * 38}\n")
    assert flagged.error["code"] != "PLY6410"
