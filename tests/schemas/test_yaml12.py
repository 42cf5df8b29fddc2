from __future__ import annotations

import io
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import MAX_BYTES, Document, Place, read_document, read_json, read_yaml


def read(text: str) -> Document:
    return read_yaml(text.encode(), "melody.yaml")


def problems(document: Document) -> list[tuple[str, int, int, str]]:
    return [(p.code, p.line, p.column, p.pointer) for p in document.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO", "NO"), ("no", "no"), ("on", "on"), ("yes", "yes"), ("y", "y"), ("True", True), ("FALSE", False),
        ("null", None), ("~", None), ("", None), ("0o17", 15), ("0x1F", 31), ("0644", 644), ("+12", 12), ("-7", -7),
        ("0b11", "0b11"), ("1_000", "1_000"), ("1:30", "1:30"), ("3.10", 3.1), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0),
        ("2026-01-02", "2026-01-02"), ("'12'", "12"), ('"true"', "true"), ("=", "="), ("1.0.0", "1.0.0"), ("-", [None]),
        ("|\n  12\n", "12\n"), (">\n  a\n  b\n", "a b\n"), ("9223372036854775807", 2**63 - 1),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, expected: JsonValue) -> None:
    document = read("k: " + text) if text != "-" else read("k:\n- ")
    assert document.problems == ()
    assert document.value == {"k": expected}
    assert type(document.value["k"]) is type(expected)


def test_places_count_from_one_and_tell_key_and_value() -> None:
    document = read("a:\n  - é: [x, {b/c: 2}]\n")
    assert document.places["/a/0/é/1/b~1c"] == Place(2, 18, 2, 13)
    assert document.places["/a"] == Place(2, 3, 1, 1)
    assert document.place("/a/0/é/9/x") == document.places["/a/0/é"]
    problem = document.problem("PLY1", "/a", "m", at_key=True)
    assert (problem.line, problem.column, problem.file) == (1, 1, "melody.yaml")


def test_reports_all_problems_at_once_in_order() -> None:
    text = 'a: 1\na: 2\nb: !x 3\nc: &q [1]\nd: *q\n<<: {}\n1: 2\nf: .inf\ng: 9223372036854775808\nh: "\\0"\n'
    assert problems(read(text)) == [
        ("PLY1003", 2, 1, "/a"),
        ("PLY1004", 3, 4, "/b"),
        ("PLY1006", 4, 4, "/c"),
        ("PLY1006", 5, 4, "/d"),
        ("PLY1005", 6, 1, ""),
        ("PLY1009", 7, 1, ""),
        ("PLY1010", 8, 4, "/f"),
        ("PLY1010", 9, 4, "/g"),
        ("PLY1001", 10, 4, "/h"),
    ]
    for problem in read(text).problems:
        assert problem.hint
        assert problem.got
        assert problem.expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: [", ("PLY1002", 2, 1)),
        (b"a: b: c", ("PLY1002", 1, 5)),
        (b"--- a\n--- b\n", ("PLY1007", 2, 1)),
        (b"", ("PLY1011", 1, 1)),
        (b"# only a comment\n", ("PLY1011", 1, 1)),
        (b"a: 1\nb: \xff\n", ("PLY1001", 2, 4)),
        (b"a: \x00", ("PLY1001", 1, 4)),
        (b"a: \x07", ("PLY1002", 1, 1)),
        ("a: x\u2028y".encode(), ("PLY1001", 1, 5)),
        (b"[" * 100_000, ("PLY1008", 1, 65)),
        (b"a" * (MAX_BYTES + 1), ("PLY1008", 1, 1)),
        (b"- \n" * 200_001, ("PLY1008", 200_000, 2)),
        (b"? [a]\n: 1\n", ("PLY1009", 1, 3)),
        (b"a: !!str 1\n", ("PLY1004", 1, 4)),
        (b"%TAG ! tag:x,2026:\n---\na: 1\n", ("PLY1004", 1, 1)),
        (b"%YAML 1.1\n---\na: 1\n", ("PLY1002", 1, 1)),
    ],
)
def test_refuses(data: bytes, expected: tuple[str, int, int]) -> None:
    found = [(p.code, p.line, p.column) for p in read_yaml(data, "x").problems]
    assert len(found) == 1
    code, line, column = found[0]
    assert code == expected[0]
    if expected[0] != "PLY1002" and line < 1000:
        assert (line, column) == expected[1:]


def test_a_quoted_merge_key_is_a_plain_key() -> None:
    assert read("'<<': 1").value == {"<<": 1}


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1", "x").value == {"a": 1}


def test_json_has_the_same_checks_and_places() -> None:
    text = '{"a": 1,\n "a": 2, "e": "\\ud83d\\ude00", "s": "\\ud800",\n\t"d": 1e999, "l": [1, {"x": 9223372036854775808}]}'
    document = read_json(text.encode(), "melody.json")
    assert problems(document) == [
        ("PLY1003", 2, 2, "/a"),
        ("PLY1001", 2, 36, "/s"),
        ("PLY1010", 3, 7, "/d"),
        ("PLY1010", 3, 29, "/l/1/x"),
    ]
    assert document.places["/l/1/x"] == Place(3, 29, 3, 24)


@pytest.mark.parametrize(
    "text", ['{"a":}', "[1,]", '{"a" 1}', "{} x", '"\x01"', "NaN", "'a'", '"\\x41"', "01", "", "[" * 70]
)
def test_refuses_what_is_no_json(text: str) -> None:
    document = read_document(text.encode(), "x.json")
    assert [p.code for p in document.problems] == ["PLY1008" if text.startswith("[[") else "PLY1002"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=10)
    | st.sampled_from(["NO", "on", "0644", "1e3", "<<", "~", "- a", "a: b", "#c", "null", "", " x "]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab<:~1 ", max_size=4), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_documents_read_as_the_standard_library_reads_them(value: JsonValue) -> None:
    text = json.dumps(value, indent=2)
    document = read_json(text.encode(), "x.json")
    assert document.problems == ()
    assert document.value == json.loads(text)


@settings(max_examples=120, deadline=None)
@given(json_values)
def test_agrees_with_ruamel_on_documents_that_ruamel_wrote(value: JsonValue) -> None:
    writer = YAML()
    writer.version = (1, 2)
    stream = io.StringIO()
    writer.dump({"value": value}, stream)
    text = stream.getvalue()
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    document = read(text)
    assert document.problems == ()
    assert document.value == reader.load(text)


@settings(max_examples=120, deadline=None)
@given(st.from_regex(r"[-+.0-9a-zA-Z~_:]{1,6}", fullmatch=True))
def test_agrees_with_ruamel_on_plain_scalars(scalar: str) -> None:
    document = read(f"- {scalar}\n")
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    theirs = None if document.problems else reader.load(f"- {scalar}\n")
    if theirs is None or not isinstance(theirs[0], (str, int, float, bool, type(None))):
        return  # refused here, or a type that JSON lacks there
    if theirs == document.value:
        return
    # ruamel keeps three habits of YAML 1.1 that the core schema does not have
    assert "_" in scalar or ":" in scalar or scalar.lower().lstrip("+-").startswith(("0b", "0x", "0o"))


def test_a_melody_of_two_hundred_nodes_is_read_quickly() -> None:
    node = '  n{}:\n    uses: polyphony/command@^1\n    with: {{path: "${{{{ inputs.path }}}}", argv: [make, t{}]}}\n    limits: {{timeout: 10m}}\n'
    text = "nodes:\n" + "".join(node.format(i, i) for i in range(200))
    times = []
    for _ in range(5):
        started = time.process_time()
        assert read(text).problems == ()
        times.append(time.process_time() - started)
    assert min(times) < 0.15  # 15 ms on a fast machine
