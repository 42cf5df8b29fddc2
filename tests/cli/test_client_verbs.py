"""Keys, bindings, the lock verbs at the command line: documents, exit statuses, what people read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_schemas.trust.tree import Entry
from support.client_cli import polyphony
from support.install_world import SIGNER, World, a_registry, world
from support.trust_registry import melody_entries


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    registry = a_registry()
    registry.tick(int(time.time()) - registry.at - 30)
    registry.seal()
    with world(tmp_path / "home", registry) as made:
        yield made


def test_keys_are_made_listed_exported_and_imported(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = polyphony(home, "key", "new", "mine", "--type", "p256").json
    assert (made["name"], made["type"], made["encrypted"]) == ("mine", "ecdsa-p256", False)
    assert polyphony(home, "key", "list").json == {"keys": [made]}
    public = polyphony(home, "key", "export", "mine").json
    assert public["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    file = tmp_path / "mine.pem"
    assert polyphony(home, "key", "export", "mine", "--private", "-o", str(file)).json["pem"] is None
    assert file.stat().st_mode & 0o777 == 0o600
    other = polyphony(tmp_path / "other", "key", "import", "copy", str(file)).json
    assert other["id"] == made["id"]
    assert polyphony(home, "key", "new", "mine").error["code"] == "PLY6301"
    assert polyphony(home, "key", "export", "nothing").error["code"] == "PLY6302"
    assert polyphony(home, "key", "import", "x", str(tmp_path / "none")).status == 2


def test_a_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = polyphony(tmp_path, "key", "new", "mine", "--passphrase")
    assert (said.status, said.error["code"]) == (2, "PLY6304")
    monkeypatch.setenv("POLYPHONY_KEY_PASSPHRASE", "long words")
    assert polyphony(tmp_path, "key", "new", "mine", "--passphrase").json["encrypted"] is True
    assert "ENCRYPTED" in (tmp_path / "keys" / "mine.pem").read_text()


def test_registries_are_added_listed_and_removed(tmp_path: Path) -> None:
    key = a_registry().vkey
    words = ("registry", "add", "https://r.example/", "--log-key", key, "--namespace", "acme")
    made = polyphony(tmp_path, *words, "--minimum-age", "acme=0", "--max-age", "90d").json
    assert made["origin"] == "registry.example"
    assert made["urls"] == ["https://r.example"]
    assert (made["minimum_age"], made["namespace_ages"], made["max_age"]) == ("3d", {"acme": "0s"}, "90d")
    assert polyphony(tmp_path, "registry", "list").json == {"registries": [made]}
    assert polyphony(tmp_path, "registry", "remove", "registry.example").status == 0
    assert polyphony(tmp_path, "registry", "list").json == {"registries": []}
    assert polyphony(tmp_path, "registry", "remove", "registry.example").error["code"] == "PLY6505"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("not a url", "--log-key", "k", "--namespace", "acme"), "PLY6101"),
        (("https://r.example", "--log-key", "k", "--namespace", "acme"), "PLY6501"),
        (("https://r.example", "--log-key", "k", "--namespace", "A C"), "PLY1306"),
    ],
)
def test_a_registry_that_makes_no_sense_is_not_added(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    said = polyphony(tmp_path, "registry", "add", *words)
    assert said.error["code"] == code
    assert said.error["hint"]


def test_the_lock_verbs(here: World) -> None:
    home = here.home.root
    assert polyphony(home, "install", "acme/flows@1.0.0").status == 0
    assert polyphony(home, "outdated").json["outdated"] == [
        {"name": "acme/flows", "range": "1.0.0", "locked": "1.0.0", "wanted": "1.0.0", "newest": "1.1.0"}
    ]
    assert polyphony(home, "audit").json == {"ok": True, "packages": 1, "findings": []}
    assert polyphony(home, "install", "acme/flows@^1").status == 0
    here.registry.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), SIGNER)
    updated = polyphony(home, "update").json["installed"]
    assert [(one["name"], one["version"]) for one in updated] == [("acme/flows", "1.3.0")]
    here.registry.quarantine("acme/flows", "1.3.0")
    said = polyphony(home, "audit")
    assert said.status == 1
    assert said.json["findings"][0]["kind"] == "quarantined"
    assert polyphony(home, "update", "--accept-signer").status == 2


def test_a_melody_on_disk_gets_its_lock(here: World, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "melody.yaml").write_text(
        "melody: v1\nname: mine\nversion: 0.1.0\nnodes: {f: {uses: acme/flows@^1}}\n"
    )
    said = polyphony(here.home.root, "lock", str(folder), "--frozen")
    assert said.error["code"] == "PLY5903"
    said = polyphony(here.home.root, "lock", str(folder))
    assert [one["name"] for one in said.json["installed"]] == ["acme/flows", "acme/tool"]
    assert said.json["lock"] == str(folder / "melody.lock")
    assert polyphony(here.home.root, "lock", str(folder)).json["installed"] == []
    (folder / "melody.local.yaml").write_text(f"overrides: {{acme/flows: {tmp_path}}}\n")
    assert polyphony(here.home.root, "lock", str(folder)).error["code"] == "PLY2410"


def test_offline_needs_what_was_installed_and_nothing_else(here: World) -> None:
    home = here.home.root
    assert polyphony(home, "--offline", "install", "acme/flows").error["code"] == "PLY6107"
    assert polyphony(home, "install", "acme/flows@1.0.0").status == 0
    asked = len(here.served.asked)
    assert polyphony(home, "--offline", "verify", "acme/flows").json["ok"] is True
    assert len(here.served.asked) == asked


def test_wider_permissions_say_the_flag_in_full(here: World) -> None:
    home = here.home.root
    for version, hosts in (("1.0.0", ["a.example:443"]), ("1.1.0", ["a.example:443", "b.example:443"])):
        document = {"network": hosts}
        text = (
            f"melody: v1\nname: wide\nversion: {version}\nnodes: {{n: {{uses: core/set}}}}\n"
            f"config: {{permissions: {{network: {hosts}}}}}\n".replace("'", '"')
        )
        entries = {**melody_entries("wide", version)}
        entries["melody.yaml"] = type(entries["melody.yaml"])("100644", text.encode())
        here.registry.publish("acme/wide", version, entries, SIGNER, permissions=document)
    said = polyphony(home, "install", "acme/wide@1.0.0")
    assert "talks to a.example:443" in said.err
    error = polyphony(home, "install", "acme/wide@^1").error
    assert error["code"] == "PLY5604"
    flag = error["hint"].split("--accept-permissions ")[1].split()[0]
    assert flag == error["details"]["digest"]
    assert polyphony(home, "install", "acme/wide@^1", "--accept-permissions", flag).status == 0


def test_wider_permissions_may_be_agreed_to_at_a_terminal(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, hosts in (("1.0.0", "['a.example:443']"), ("1.1.0", "['a.example:443', 'b.example:443']")):
        text = f"melody: v1\nname: wide\nversion: {version}\nsummary: S\nlicense: MIT\nnodes: {{n: {{uses: core/set}}}}\n"
        text += f"config: {{permissions: {{network: {hosts}}}}}\n"
        entries = {"melody.yaml": Entry("100644", text.encode())}
        document = {"network": json.loads(hosts.replace("'", '"'))}
        here.registry.publish("acme/wide", version, entries, SIGNER, permissions=document)
    home = here.home.root
    assert polyphony(home, "install", "acme/wide@1.0.0").status == 0
    asked: list[str] = []
    answers = iter([False, True])

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("polyphony_cli.client.at_terminal", lambda: True)
    monkeypatch.setattr("polyphony_cli.client.click.confirm", confirm)
    refused = polyphony(home, "install", "acme/wide@^1")
    assert (refused.status, refused.error["code"]) == (1, "PLY5604")
    assert refused.error["details"]["difference"] == ['+ network: "b.example:443"']
    agreed = polyphony(home, "install", "acme/wide@^1")
    assert agreed.status == 0, agreed.out
    assert '+ network: "b.example:443"' in agreed.err
    assert asked == ["Take it with these permissions?"] * 2
    effective = polyphony(home, "info", "acme/wide@1.1.0").json["effective"]
    assert effective["permissions"] == {}  # a ceiling that no node uses
