from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.trust.tree import Entries, Entry
from polyphony_schemas.trust.tree_rules import MAX_BLOB_BYTES, MAX_ENTRIES, Refusal, refusals

PLAIN = Entry("100644", b"x")


def _rules(entries: Entries) -> set[str]:
    return {refusal.rule for refusal in refusals(entries)}


def _link(target: str) -> Entry:
    return Entry("120000", target.encode())


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("git", ".git/config"),
        ("git", "a/.GIT"),
        ("git", ".g\u200cit"),
        ("git", ".git. ."),
        ("git", "GIT~1"),
        ("modes", ".gitmodules"),
        ("modes", "sub/.gitmodules"),
        ("structure", "a/../b"),
        ("structure", "./a"),
        ("structure", "a\0b"),
        ("characters", "e\u0301.md"),
        ("characters", "a\nb"),
        ("characters", "a\tb"),
        ("characters", "a\u00a0b"),
        ("characters", "\u202egpj.exe"),
        ("characters", "\ue000"),
        ("characters", "\U000e0fff"),
        ("characters", "bad\udcff"),
        ("characters", " a"),
        ("characters", "a "),
        ("characters", "a."),
        *(("characters", f"a{character}b") for character in '\\:*?"<>|'),
        ("windows", "con"),
        ("windows", "CON.txt"),
        ("windows", "Nul.tar.gz"),
        ("windows", "com1"),
        ("windows", "lpt\u00b2"),
        ("windows", "CONIN$"),
        ("limits", "a" * 101),
        ("limits", "/".join("b" * 17)),
        ("limits", "/".join(["c" * 90] * 3)),
    ],
)
def test_refuses_names(rule: str, path: str) -> None:
    assert rule in _rules({path: PLAIN})


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        ".gitignore",
        ".gitattributes",
        "a b.txt",
        "é.md",
        "console.txt",
        "com10",
        "git~",
        "a-b_c.tar.gz",
        "日本.md",
    ],
)
def test_accepts_usual_names(path: str) -> None:
    assert refusals({path: PLAIN}) == []


@pytest.mark.parametrize(
    "names", [("README", "readme"), ("straße", "STRASSE"), ("é".upper(), "é"), ("d/A", "d/a")]
)
def test_refuses_names_that_collide(names: tuple[str, str]) -> None:
    assert _rules(dict.fromkeys(names, PLAIN)) == {"collisions"}


def test_folders_collide_as_files_do() -> None:
    assert _rules({"Docs/a": PLAIN, "docs/b": PLAIN}) == {"collisions"}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("l", "/etc/passwd"),
        ("l", "../x"),
        ("d/l", "../../x"),
        ("l", "missing"),
        ("l", "d/../../x"),
        ("l", "other"),
        ("l", "other/x"),
        ("l", "x" * 256),
        ("l", ""),
        ("l", "a\\b"),
        ("l", "l"),
    ],
)
def test_refuses_links(path: str, target: str) -> None:
    assert _rules({"d/f": PLAIN, "other": _link("d"), path: _link(target)}) == {"links"}


@pytest.mark.parametrize(
    ("path", "target"), [("l", "d"), ("l", "d/f"), ("d/l", "f"), ("d/l", "../e"), ("l", "./d/../e")]
)
def test_accepts_links_inside_the_tree(path: str, target: str) -> None:
    assert refusals({"d/f": PLAIN, "e": PLAIN, path: _link(target)}) == []


def test_refuses_too_much() -> None:
    assert _rules({f"f{number}": PLAIN for number in range(MAX_ENTRIES + 1)}) == {"limits"}
    assert _rules({"a": Entry("100644", bytes(MAX_BLOB_BYTES + 1))}) == {"limits"}
    blob = Entry("100644", bytes(MAX_BLOB_BYTES))
    assert _rules({f"f{number}": blob for number in range(5)}) == {"limits"}


def test_reports_everything_at_once_with_what_the_reader_met() -> None:
    met = Refusal("modes", "sub", "mode 160000")
    found = refusals({"CON": PLAIN, "a:b": PLAIN, "l": _link("..")}, structure=[met])
    assert [refusal.rule for refusal in found] == ["windows", "characters", "links", "modes"]
    assert str(met) == "sub: mode 160000 (modes)"


@given(
    st.dictionaries(
        st.text(max_size=20), st.builds(Entry, st.just("100644"), st.binary(max_size=5)), max_size=5
    )
)
def test_never_raises(entries: dict[str, Entry]) -> None:
    refusals(entries)
