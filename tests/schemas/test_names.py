from __future__ import annotations

import pytest

from polyphony_schemas.errors import FormatError
from polyphony_schemas.json_schema import check_schema
from polyphony_schemas.names import (
    ID_PATTERN,
    NAME_PATTERN,
    RESERVED_IDS,
    CoreReference,
    LocalReference,
    PackageReference,
    check_id,
    check_name,
    did_you_mean,
    looks_like_path,
    nearest,
    parse_package,
    parse_uses,
)
from polyphony_schemas.scalars import DURATION_PATTERN, MONEY_PATTERN, SIZE_PATTERN
from polyphony_schemas.semver import VERSION_PATTERN


@pytest.mark.parametrize("name", ["a", "1", "full-stack-review", "a" * 40, "x1-y2"])
def test_takes_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a--b", "A", "a_b", "a" * 41, "a.b", "a/b", "é", "a\n"])
def test_refuses_other_names(name: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_name(name)
    assert caught.value.code == "PLY1306"


@pytest.mark.parametrize("word", ["a", "a1_b", "a" * 63])
def test_takes_ids(word: str) -> None:
    assert check_id(word) == word


@pytest.mark.parametrize("word", ["", "A", "1a", "_a", "a-b", "a" * 64, "a\n", *sorted(RESERVED_IDS)])
def test_refuses_other_ids_and_reserved_words(word: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_id(word)
    assert caught.value.code == "PLY1307"


def test_reads_what_uses_may_say() -> None:
    package = parse_uses("polyphony/ruff@>=1.2,<2")
    assert isinstance(package, PackageReference)
    assert (package.full_name, str(package.range), str(package)) == (
        "polyphony/ruff",
        ">=1.2,<2",
        "polyphony/ruff@>=1.2,<2",
    )
    assert parse_uses("core/switch") == CoreReference("switch")
    assert parse_uses(".") == LocalReference(".")
    assert parse_uses("./a/./b/../c/") == LocalReference("a/c")
    assert parse_uses("../x") == LocalReference("../x")


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("polyphony/ruff", "PLY1308", "add a version range, like polyphony/ruff@^1"),
        (
            "ruff",
            "PLY1308",
            "write polyphony/ruff@^1 for a first-party package, or ./ruff for a folder of this one",
        ),
        ("core/sett", "PLY1308", "did you mean 'core/set'?"),
        ("a/b/c@^1", "PLY1308", "write owner/name@^1 for a package, or ./path for a folder of this one"),
        ("a/b@x", "PLY1305", "use ^ for anything compatible, or a full version for exactly that one"),
        ("A/b@^1", "PLY1306", "write the owner like 'my-package'"),
        ("./a:b", "PLY1308", "write the folder relative to this file, like ./nodes/work"),
    ],
)
def test_refuses_other_uses(text: str, code: str, hint: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_uses(text)
    assert (caught.value.code, caught.value.hint) == (code, hint)


def test_a_bare_name_on_the_command_line_is_first_party() -> None:
    assert str(parse_package("ruff")) == "polyphony/ruff@*"
    assert str(parse_package("acme/ruff@^2")) == "acme/ruff@^2"


@pytest.mark.parametrize(
    ("word", "path"),
    [(".", True), ("./x", True), ("/x", True), ("~/x", True), ("x.yaml", True), ("x.yml", True), ("a/b.json", True),
     ("ruff", False), ("polyphony/ruff@^1", False)],
)  # fmt: skip
def test_tells_paths_from_names(word: str, path: bool) -> None:
    assert looks_like_path(word) is path


def test_hints_at_the_nearest_known_word() -> None:
    assert nearest("conections", ["config", "connections"]) == "connections"
    assert did_you_mean("zzz", ["config"]) == ""


@pytest.mark.parametrize(
    "pattern", [ID_PATTERN, NAME_PATTERN, DURATION_PATTERN, SIZE_PATTERN, MONEY_PATTERN, VERSION_PATTERN]
)
def test_the_patterns_may_stand_in_schemas(pattern: str) -> None:
    assert check_schema({"pattern": pattern}) == []
