"""``polyphony secret``: values go in by standard input and never come out again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.client_cli import polyphony

VALUE = "a-rather-secret-value"


def test_keeps_lists_and_forgets_names(tmp_path: Path) -> None:
    said = [
        polyphony(tmp_path, "secret", "set", "TOKEN", stdin=VALUE + "\n"),
        polyphony(tmp_path, "secret", "list"),
        polyphony(tmp_path, "secret", "rm", "TOKEN"),
        polyphony(tmp_path, "secret", "list"),
    ]
    assert [one.status for one in said] == [0, 0, 0, 0]
    assert said[0].json == {"name": "TOKEN", "place": "file"}
    assert said[1].json == {"secrets": [{"name": "TOKEN", "place": "file"}]}
    assert said[3].json == {"secrets": []}
    assert not any(VALUE in one.out + one.err for one in said)


@pytest.mark.parametrize(
    ("words", "stdin", "status", "code"),
    [
        (("set", "TOKEN"), "", 2, "PLY3715"),
        (("set", "TOKEN"), "short", 1, "PLY3408"),
        (("set", "no-name"), VALUE, 1, "PLY3407"),
        (("rm", "TOKEN"), "", 1, "PLY3713"),
        (("set", "TOKEN", "--passphrase"), VALUE, 1, "PLY3712"),
    ],
)
def test_says_what_is_wrong(
    tmp_path: Path, words: tuple[str, ...], stdin: str, status: int, code: str
) -> None:
    said = polyphony(tmp_path, "secret", *words, stdin=stdin)
    assert (said.status, said.error["code"]) == (status, code)


def test_a_value_is_no_argument(tmp_path: Path) -> None:
    assert polyphony(tmp_path, "secret", "set", "TOKEN", VALUE).status == 2


MELODY = """\
melody: v1
name: secretive
version: 1.0.0
nodes:
  show: {uses: ./show, permissions: {secrets: [TOKEN]}}
  blind: {uses: ./blind}
outputs: {length: "${ show.length }", others: "${ blind.files }", told: "${ show.told }"}
config: {permissions: {secrets: [TOKEN]}}
"""
EXTENSION = """\
extension: v1
name: NAME
version: 1.0.0
kind: operator
outputs: {length: {schema: {type: integer}}, files: {schema: {type: array}}, told: {schema: {type: string}}}
PERMISSIONS
run: {python: "node:main"}
"""
SHOW = """\
import os, sys
def main(inputs, parameters, task, context):
    with open(context.secrets["TOKEN"]) as stream:
        value = stream.read()
    context.log("the value is " + value)
    print(value, file=sys.stderr)
    assert not any(value in text for text in [*os.environ.values(), *sys.argv])
    return {"length": len(value), "told": "it is " + value}
"""
BLIND = """\
import os
def main(inputs, parameters, task, context):
    folder = "/tmp/.secrets"
    return {"files": os.listdir(folder) if os.path.isdir(folder) else []}
"""


def test_a_kept_secret_reaches_the_granted_node_and_no_record(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "secretive"
    for name, source, permissions in (
        ("show", SHOW, "permissions: {secrets: granted}"),
        ("blind", BLIND, "summary: sees nothing"),
    ):
        (folder / name).mkdir(parents=True)
        manifest = EXTENSION.replace("NAME", name).replace("PERMISSIONS", permissions)
        (folder / name / "extension.yaml").write_text(manifest)
        (folder / name / "node.py").write_text(source)
    (folder / "melody.yaml").write_text(MELODY)

    def call(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "polyphony_cli.main", "--json", "--home", str(home), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "POLYPHONY_SECRETS_PASSPHRASE": "open sesame"},
        )

    assert call("secret", "set", "TOKEN", "--passphrase", stdin=VALUE).returncode == 0
    asked = call("run", str(folder))
    digest = asked.stdout.split('"digest": "')[1][:64]
    done = call("run", str(folder), "--accept-permissions", digest)
    assert done.returncode == 0, done
    assert f'"length": {len(VALUE)}' in done.stdout
    assert '"others": []' in done.stdout
    assert '"told": "it is ***"' in done.stdout
    run = done.stdout.split('"run": "')[1].split('"')[0]
    told = [done, *(call(verb, run) for verb in ("show", "logs", "journal", ["artifacts", "list"][0]))]
    assert not any(VALUE in one.stdout + one.stderr for one in told)
    assert "the value is ***" in told[2].stdout
    for path in home.rglob("*"):
        if path.is_file():
            assert VALUE.encode() not in path.read_bytes(), path
