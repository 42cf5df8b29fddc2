"""``polyphony registry init serve user check backup restore`` as an operator calls them."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from polyphony_registry.backup import restore_backup, write_backup
from polyphony_registry.check import check
from polyphony_registry.errors import SetupError
from support import client_cli
from support.registry_running import Publisher, new_registry, prepared, running_registry


def polyphony(*arguments: str, status: int = 0) -> Any:
    said = client_cli.polyphony(Path(os.environ["POLYPHONY_HOME"]), *arguments)
    assert said.status == status, (said.out, said.err)
    return said.json


def test_init_prints_token_and_line_once_and_user_add_another(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    made = polyphony(
        "registry", "init", "--origin", "r.example", "--owner", "ada", "--namespace", "acme", "--data", data
    )
    assert made["token"].startswith("ply_")
    assert made["add"].startswith("polyphony registry add http://127.0.0.1:8440 --log-key r.example/log+")
    assert made["add"].endswith("--namespace acme")
    assert made["token"] not in (tmp_path / "data" / "registry.json").read_text()
    refused = polyphony(
        "registry",
        "init",
        "--origin",
        "r.example",
        "--owner",
        "ada",
        "--namespace",
        "acme",
        "--data",
        data,
        status=1,
    )
    assert refused["error"]["code"] == "PLY4007"
    bob = polyphony("registry", "user", "add", "bob", "--namespace", "acme", "--data", data)
    assert bob["token"] != made["token"]
    listed = polyphony("registry", "user", "list", "--data", data)
    assert listed == {
        "accounts": [{"name": "ada", "namespaces": ["acme"]}, {"name": "bob", "namespaces": ["acme"]}]
    }


def test_serving_a_folder_that_holds_nothing_says_what_to_do(tmp_path: Path) -> None:
    refused = polyphony("registry", "serve", "--data", str(tmp_path), status=1)
    assert refused["error"]["code"] == "PLY4006"
    assert "registry init" in refused["error"]["hint"]


def test_a_data_folder_that_cannot_be_made_or_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    data = str(tmp_path / "file" / "data")
    names = ("--origin", "r.example", "--owner", "ada", "--namespace", "acme")
    for words in (("init", *names), ("serve",), ("check",)):
        refused = polyphony("registry", *words, "--data", data, status=1)
        assert refused["error"]["code"] == "PLY4016"
        assert "Not a directory" in refused["error"]["message"]


def test_check_finds_what_was_changed_behind_the_registry(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data", workers=1)
    with running_registry(settings, owner) as running:
        publisher = Publisher(tmp_path / "work", owner.token)
        answer = publisher.publish(running.url, publisher.work_tree("shout"))
        assert answer.status == 201
        assert polyphony("registry", "check", "--data", str(settings.data))["ok"]
        tree = answer.json()["tree"]
    (settings.published / "archive" / f"{tree}.tar.gz").unlink()
    services = prepared(settings)
    with services.database.write() as session:
        session.connection().exec_driver_sql(
            "update record set body = cast(replace(body, 'acme', 'evil') as blob) where \"index\" = 0"
        )
    report = check(services)
    services.close()
    assert len(report.findings) >= 2
    assert any("is not published" in finding for finding in report.findings)


def test_a_backup_taken_while_serving_is_a_whole_registry(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data", workers=1)
    with running_registry(settings, owner) as running:
        publisher = Publisher(tmp_path / "work", owner.token)
        assert publisher.publish(running.url, publisher.work_tree("shout")).status == 201
        backup = tmp_path / "backup.tar"
        told = polyphony("registry", "backup", str(backup), "--data", str(settings.data))
        note = (settings.published / "log" / "checkpoint").read_text()
    assert told["bytes"] == backup.stat().st_size
    assert backup.stat().st_mode & 0o777 == 0o600
    again = tmp_path / "again"
    restored = polyphony("registry", "restore", str(backup), "--data", str(again))
    assert restored["ok"] and restored["checked"]["versions"] == 1
    assert (again / "published" / "log" / "checkpoint").read_text() == note
    assert again.stat().st_mode & 0o777 == 0o700
    assert (again / "keys" / "log.pem").stat().st_mode & 0o777 == 0o600
    refused = polyphony("registry", "restore", str(backup), "--data", str(again), status=1)
    assert refused["error"]["code"] == "PLY4013"


@pytest.mark.parametrize(
    "name", ["../escaped", "/tmp/escaped", "hooks/pre-receive", "git/../../escaped", "x"]
)
def test_a_tar_that_is_no_backup_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    backup = tmp_path / "backup.tar"
    with tarfile.open(backup, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(SetupError) as refused:
        restore_backup(backup, tmp_path / "data")
    assert refused.value.code == "PLY4014"
    assert [path.name for path in tmp_path.iterdir()] == ["backup.tar"]


def test_a_torn_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    prepared(settings).close()
    backup = tmp_path / "backup.tar"
    write_backup(settings, backup)
    backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    with pytest.raises(SetupError) as refused:
        restore_backup(backup, tmp_path / "again")
    assert refused.value.code == "PLY4014"
    assert not (tmp_path / "again").exists()
