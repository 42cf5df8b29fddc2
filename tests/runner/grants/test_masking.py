"""Secrets in all the forms programs print them, whole and split over chunks."""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.grants.masking import MASK, Masker
from polyphony_runner.runtimes import outputs
from support.runtimes_nodes import Bench

SECRET = 'pa"ss/w+ö rd=\n1'
FORMS = [
    SECRET,
    json.dumps(SECRET)[1:-1],
    json.dumps(SECRET, ensure_ascii=False)[1:-1],
    repr(SECRET)[1:-1],
    urllib.parse.quote(SECRET, safe=""),
    urllib.parse.quote_plus(SECRET),
    urllib.parse.quote(SECRET),
    re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote(SECRET, safe="")),
    json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    html.escape(SECRET),
    SECRET.encode().hex(),
    SECRET.encode().hex().upper(),
    *(base64.b64encode(b"user:"[:count] + SECRET.encode()).decode() for count in range(6)),
    *(base64.urlsafe_b64encode(b"user:"[:count] + SECRET.encode()).decode() for count in range(6)),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_masked(form: str) -> None:
    masked = Masker({"S": SECRET.encode()}).text(f"before {form} after")
    assert MASK in masked
    assert form not in masked


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*FORMS, "plain text", "\n", "pa", "0"]), max_size=8), st.data())
def test_a_stream_masks_what_the_whole_would(parts: list[str], data: st.DataObject) -> None:
    masker = Masker({"S": SECRET.encode()})
    whole = "".join(parts).encode()
    stream = masker.stream()
    rest, out = whole, b""
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out += stream.feed(rest[:size])
        rest = rest[size:]
    out += stream.flush()
    for form in FORMS[:8]:
        assert form.encode() not in out
    assert out == masker.data(whole)


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    pem = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\nshort\n-----END PRIVATE KEY-----\n"
    masker = Masker({"KEY": pem})
    assert masker.text("log: MC4CAQAwBQYDK2VwBCIEIA") == "log: ***"
    assert masker.text("-----BEGIN PRIVATE KEY----- short") == "-----BEGIN PRIVATE KEY----- short"
    assert masker.data(b"x" + pem + b"y") == b"x***y"


def test_escapes_of_other_languages_are_masked() -> None:
    masker = Masker({"S": b"a<b>&c/d-word"})
    for form in ("a\\u003cb\\u003e\\u0026c/d-word", "a&lt;b&gt;&amp;c/d-word", "a<b>&c\\/d-word"):
        assert masker.text(f"[{form}]") == "[***]"


def test_names_and_numbers_are_masked_too() -> None:
    masker = Masker({"PIN": b"12345678"})
    assert masker.value({"a12345678": [12345678, 1.5, None, True, "x12345678y"]}) == {
        "a***": [MASK, 1.5, None, True, "x***y"]
    }
    assert Masker({}).value({"a": 1}) == {"a": 1}


def test_nothing_a_node_says_shows_its_secret(tmp_path: Path) -> None:
    bench = Bench(tmp_path, secrets={"TOKEN": SECRET, "SHORT": "12345"})
    any_port: dict[str, object] = {"schema": {}}
    uses = bench.python(
        "import base64, sys\n"
        "def main(i, p, t, c):\n"
        "    s = c.secret('TOKEN')\n"
        "    print(s, repr(s), file=sys.stderr)\n"
        "    c.log(s)\n"
        "    open('/out/page', 'w').write('<' + s + '>')\n"
        "    if i['fail']:\n        raise ValueError(s)\n"
        "    return {'out': {s: [s, base64.b64encode(s.encode()).decode()]}, 'place': c.secrets['TOKEN']}\n",
        inputs={"fail": any_port},
        outputs={"out": any_port, "place": any_port, "page": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    grants = {"secrets": ("TOKEN", "ABSENT")}
    told = bench.succeed(uses, inputs={"fail": False}, grants=grants)
    assert told["out"] == {MASK: [MASK, MASK]}
    assert told["place"] == "/tmp/.secrets/TOKEN"
    page = told["page"]
    assert isinstance(page, dict)
    assert bench.artifacts.read(str(page["digest"])) == b"<***>"
    failure = bench.fail(uses, inputs={"fail": True}, grants=grants)
    said = repr([event.data for event in bench.events]) + failure.message + str(failure.trace)
    assert not any(form in said for form in FORMS)
    assert any("ABSENT" in str(message) for message in bench.messages())
    assert bench.fail(uses, grants={"secrets": ("SHORT",)}).details["code"] == "PLY3408"


@pytest.mark.parametrize("lines", ["os.mkdir('/out/d/x-' + s)", "os.symlink(s, '/out/d/l')"])
def test_a_folder_with_a_secret_in_a_name_is_refused(tmp_path: Path, lines: str) -> None:
    bench = Bench(tmp_path, secrets={"TOKEN": "word-in-a-name"})
    uses = bench.python(
        f"import os\ndef main(i, p, t, c):\n    s = c.secret('TOKEN')\n    os.mkdir('/out/d')\n    {lines}\n",
        outputs={"d": {"schema": {"$ref": "urn:polyphony:directory"}}},
    )
    failure = bench.fail(uses, grants={"secrets": ("TOKEN",)})
    assert failure.kind == "output"
    assert "word-in" not in failure.message


@pytest.mark.parametrize(("before", "holds"), [(0, True), (97, True), (900, True), (900, False)])
def test_a_secret_in_a_file_too_large_to_be_masked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, holds: bool
) -> None:
    monkeypatch.setattr(outputs, "_MAX_MASKED", 64)
    monkeypatch.setattr(outputs, "_CHUNK", 100)  # also where the secret stands in two pieces
    bench = Bench(tmp_path, secrets={"TOKEN": "word-in-a-large-file"})
    said = "s" if holds else "'nothing'"
    uses = bench.python(
        "def main(i, p, t, c):\n    s = c.secret('TOKEN')\n"
        f"    open('/out/page', 'w').write('x' * {before} + {said} + 'x' * 100)\n",
        outputs={"page": {"schema": {"$ref": "urn:polyphony:file"}}},
    )
    if holds:
        failure = bench.fail(uses, grants={"secrets": ("TOKEN",)})
        assert (failure.kind, failure.details["code"]) == ("output", "PLY3509")
        assert "word-in" not in failure.message
    else:
        assert "page" in bench.succeed(uses, grants={"secrets": ("TOKEN",)})


def test_a_line_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    bench = Bench(tmp_path, secrets={"TOKEN": "word-at-the-edge"})
    uses = bench.python(
        "import os\ndef main(i, p, t, c):\n    c._emit.__closure__\n"
        "    [os.write(fd, b'x' * 192 + c.secret('TOKEN').encode() + b'\\n') for fd in range(3, 9) if is_open(fd)]\n"
        "def is_open(fd):\n    try:\n        os.fstat(fd)\n    except OSError:\n        return False\n    return True\n"
    )
    failure = bench.fail(uses, grants={"secrets": ("TOKEN",)})
    assert failure.kind == "protocol"
    assert "word" not in failure.message
