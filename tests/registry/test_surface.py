"""The surface that others rely on: routes, reserved names, the API's description, settings, error documents."""

from __future__ import annotations

import errno
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

from polyphony_registry import migrations
from polyphony_registry.app import create_app
from polyphony_registry.errors import SetupError
from polyphony_registry.file_view import FileView, kind_of
from polyphony_registry.migrations import upgrade
from polyphony_registry.namespaces.reserved import FORMAT_WORDS, RESERVED_OWNERS
from polyphony_registry.openapi import document
from polyphony_registry.settings import Settings
from polyphony_registry.setup import add_user, initialise, prepare
from polyphony_registry.tables import Base
from polyphony_registry.upkeep import Upkeep
from polyphony_registry.web import services_of
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.published import json_schemas
from support.registry_running import new_registry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings, _ = new_registry(tmp_path / "data", "acme", "polyphony")
    services = prepare(settings)
    Upkeep(services).round()
    services.close()
    app = create_app(settings)
    yield app
    services_of(app).close()


def test_reserved_owners_are_what_the_routes_need(app: Flask) -> None:
    needed = set(FORMAT_WORDS)
    for rule in app.url_map.iter_rules():
        parts = rule.rule.strip("/").split("/")
        needed.add(parts[0])
        if parts[0] == "log" and len(parts) > 1:
            needed.add(parts[1])
    owners = {re.sub(r"\..*", "", part) for part in needed if part and not part.startswith("<")}
    assert owners <= RESERVED_OWNERS
    # Served later by the same server, or by the files in front of it.
    assert RESERVED_OWNERS - owners <= {"changes", "proof", "map", "tile", "key", "checkpoint"}


def test_the_api_description_names_exactly_the_api_routes(app: Flask) -> None:
    paths: Any = document(services_of(app).settings)["paths"]
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    routed = {
        (re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routed


def test_the_tables_are_what_the_migrations_make(tmp_path: Path) -> None:
    from polyphony_registry.database import Database

    database = Database(tmp_path / "x.sqlite")
    upgrade(database)
    upgrade(database)
    with database.engine.connect() as connection:
        scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
        assert scripts.get_current_head() == migrations.NEWEST
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    database.close()


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "registry.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if name != "data":
            assert f"`{name}`" in text, name


def test_every_error_code_of_the_server_is_documented() -> None:
    used: set[str] = set()
    for path in [*(ROOT / "registry").rglob("*.py"), ROOT / "cli/polyphony_cli/commands/registry_server.py"]:
        used |= set(re.findall(r"\bPLY4\d{3}\b", path.read_text()))
    text = (ROOT / "docs" / "errors.md").read_text()
    assert used == set(re.findall(r"\| (PLY4\d{3}) \|", text))


def test_the_schemas_of_the_formats_are_served_as_they_are_packaged(app: Flask) -> None:
    client = app.test_client()
    for name, schema in json_schemas().items():
        answer = client.get(f"/schemas/{name}")
        assert (answer.status_code, answer.mimetype) == (200, "application/schema+json")
        assert json.loads(answer.data)["$id"] == schema["$id"]
    for name in ("nothing.json", "__init__.json", "..%2fmelody.json", ".json"):
        assert client.get(f"/schemas/{name}").status_code == 404


def test_errors_are_problem_documents_with_code_and_hint(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/packages/no/body")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json().keys() >= {"type", "title", "status", "detail", "code", "hint"}


def test_people_get_a_page_for_an_error_and_programs_a_problem(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/no/body", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert client.get("/no/body").mimetype == "application/problem+json"


def test_a_bug_says_nothing_about_the_inside(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret path /srv/x")

    monkeypatch.setattr("polyphony_registry.packages.views.find_package", broken)
    answer = app.test_client().get("/api/v1/packages/a/b")
    assert answer.status_code == 500
    assert b"secret" not in answer.data


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")],
)
def test_a_full_disk_is_called_so(app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("polyphony_registry.packages.views.find_package", full)
    answer = app.test_client().get("/api/v1/packages/a/b")
    assert (answer.status_code, answer.get_json()["code"]) == (507, "PLY4015")


def test_whoami_names_account_namespaces_and_log(app: Flask) -> None:
    services = services_of(app)
    made = add_user(services, "bob", ["acme", "bobs"], now=int(time.time()))
    answer = app.test_client().get("/api/v1/whoami", headers={"Authorization": f"Bearer {made.token}"})
    found = answer.get_json()
    assert found["account"] == "bob"
    assert found["namespaces"] == ["acme", "bobs"]
    assert found["log_key"] == made.log_key
    assert "bobs" in made.add


def test_a_token_is_only_good_while_it_lives_and_as_it_was_made(app: Flask) -> None:
    services, client = services_of(app), app.test_client()
    now = int(time.time())
    old = add_user(services, "eve", ["acme"], now=now - 3 * 86_400, days=1)
    for token, code in (
        (old.token, "PLY4102"),
        ("ply_" + "0" * 38, "PLY4101"),
        ("", "PLY4101"),
        ("x", "PLY4101"),
    ):
        answer = client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.get_json()["code"]) == (401, code)
        assert "Basic" in answer.headers["WWW-Authenticate"]
    with services.database.read() as session:
        stored = session.connection().exec_driver_sql("select * from token").fetchall()
    assert old.token not in repr(stored)


@pytest.mark.parametrize(
    ("name", "code"), [("api", "PLY4202"), ("polyphony", "PLY4202"), ("A", "PLY4201"), ("ac-me", "PLY4203")]
)
def test_namespaces_that_cannot_be_had(tmp_path: Path, name: str, code: str) -> None:
    settings, _ = new_registry(tmp_path / "data")
    services = prepare(settings)
    with pytest.raises(PolyphonyError) as refused:
        add_user(services, "bob", [name], now=int(time.time()))
    assert refused.value.code == code
    services.close()


def test_a_second_registry_is_not_made_over_the_first(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    with pytest.raises(SetupError, match="already"):
        initialise(settings, "ada", ["acme"], now=int(time.time()))


@pytest.mark.parametrize("origin", ["", "Registry.Example", "a b", "x/", "a\nb"])
def test_refuses_origins_that_no_checkpoint_can_carry(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SetupError):
        initialise(Settings(data=tmp_path / "d", origin=origin), "ada", ["acme"], now=1)
    assert not (tmp_path / "d").exists()


def test_a_registry_that_was_refused_can_be_made_under_another_name(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "d", origin="registry.example")
    with pytest.raises(PolyphonyError, match="is no account name"):
        initialise(settings, "Ada Lovelace", ["acme"], now=1)
    assert list(settings.data.iterdir()) == []
    assert initialise(settings, "ada", ["acme"], now=1).namespaces == ("acme",)


def test_a_registry_is_made_over_nobodys_files(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(SetupError, match="is not empty") as refused:
        initialise(Settings(data=tmp_path, origin="registry.example"), "ada", ["acme"], now=1)
    assert refused.value.code == "PLY4007"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_error_of_the_database_still_gets_its_page(app: Flask) -> None:
    database = sqlite3.connect(services_of(app).settings.data / "registry.sqlite")
    database.execute("ALTER TABLE namespace RENAME TO gone")
    database.close()
    answer = app.test_client().get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "The registry failed" in answer.text
    assert "PLY4000" in answer.text


def test_a_path_that_is_not_served_is_answered_in_our_words(app: Flask) -> None:
    answer = app.test_client().get("/a/b/c/d/e")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "PLY4002")
    assert answer.get_json()["detail"] == "nothing is served under '/a/b/c/d/e'"
    assert "registry add" in answer.get_json()["hint"]
    wrong = app.test_client().delete("/api/v1/whoami").get_json()
    assert (wrong["code"], wrong["detail"]) == ("PLY4003", "DELETE '/api/v1/whoami': method not allowed")


def test_the_data_folder_is_private(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    assert settings.data.stat().st_mode & 0o777 == 0o700
    assert settings.log_key.stat().st_mode & 0o777 == 0o600


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    (settings.data / "registry.json").write_text('{"origin": "x", "colour": 1}')
    with pytest.raises(SetupError, match="colour"):
        Settings.load(settings.data)


def test_map_proofs_of_sizes_that_were_never_sealed_are_refused(app: Flask) -> None:
    answer = app.test_client().get("/log/map/2/acme/@")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "PLY4502")
    assert app.test_client().get("/log/map/0/acme/@").get_json()["code"] == "PLY4502"


@pytest.mark.parametrize(
    "path", ["/index//acme/x.jsonl", "/acme//shout", "//evil.example/x", "/log/checkpoint/"]
)
def test_no_answer_repeats_the_host_of_the_request(app: Flask, path: str) -> None:
    answer = app.test_client().options(path, headers={"Host": "evil.example"})
    assert "evil.example" not in answer.headers.get("Location", "")
    assert app.test_client().get(path, headers={"Host": "evil.example"}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/index/../registry.json", "/archive/.x", "/log/tile/../../x", "/keys/log.pem", "//index/x"]
)
def test_the_file_view_serves_published_files_alone(path: str) -> None:
    assert kind_of(path) is None


def test_published_files_have_an_etag_and_answer_304(app: Flask) -> None:
    published = services_of(app).settings.published
    view = FileView(published)
    first = view.answer("/log/checkpoint", "GET")
    assert first is not None and first.status == 200
    etag = dict(first.headers)["etag"]
    for header in (etag, "*", f'"x", W/{etag}'):
        again = view.answer("/log/checkpoint", "GET", header)
        assert again is not None and (again.status, again.data) == (304, b"")
    (published / "log" / "checkpoint").write_bytes(b"changed")
    changed = view.answer("/log/checkpoint", "GET", etag)
    assert changed is not None and changed.data == b"changed"
    assert view.answer("/archive/missing.tar.gz", "GET") is None
    assert view.answer("/index/" + "a" * 5000, "GET") is None
    assert view.answer("/log/tile", "GET") is None


def test_large_files_that_never_change_are_left_to_the_server_and_others_are_read_whole(app: Flask) -> None:
    published = services_of(app).settings.published
    view = FileView(published)
    large, growing = published / "archive" / "large.tar.gz", published / "changes.jsonl"
    for path in (large, growing):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(200_000))
    sent = view.answer("/archive/large.tar.gz", "GET")
    assert sent is not None and sent.data == large
    read = view.answer("/changes.jsonl", "GET")
    assert read is not None and read.data == bytes(200_000)
    head = view.answer("/archive/large.tar.gz", "HEAD")
    assert head is not None and head.data == b"" and dict(head.headers)["content-length"] == "200000"
