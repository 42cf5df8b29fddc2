"""``polyphony registry init serve user check backup`` as an operator calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from polyphony_registry.check import check
from polyphony_registry.settings import Settings
from polyphony_registry.upkeep import Upkeep
from support.registry_running import Publisher, new_registry, prepared, running_registry


def polyphony(*arguments: str, status: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "polyphony_cli.main", "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        timeout=60,
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


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
    again.mkdir()
    subprocess.run(["tar", "-xf", str(backup), "-C", str(again)], check=True)
    services = prepared(Settings.load(again))
    Upkeep(services).round()
    services.outbox.restore()
    assert (again / "published" / "log" / "checkpoint").read_text() == note
    assert check(services).findings == []
    services.close()
