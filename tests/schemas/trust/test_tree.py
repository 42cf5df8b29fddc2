from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.archive import pack_archive, read_archive
from polyphony_schemas.trust.tree import Entry, EntryMode, tree_id, tree_of
from polyphony_schemas.trust.tree_objects import PackageTree, parse_tree_object, read_package

NAMES = st.text(st.sampled_from("ab.0-_é \u4e2d"), min_size=1, max_size=6).filter(
    lambda n: n.strip(".") != ""
)
MODES: st.SearchStrategy[EntryMode] = st.sampled_from(["100644", "100755", "120000"])
ENTRIES = st.builds(Entry, MODES, st.binary(min_size=1, max_size=40).filter(lambda data: b"\0" not in data))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Entry]:
    paths = draw(st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=8))
    found: dict[str, Entry] = {}
    for parts in paths:
        path = "/".join(parts)
        prefixes = {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        if not prefixes & found.keys() and not any(other.startswith(path + "/") for other in found):
            found[path] = draw(ENTRIES)
    return found


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sha256")
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(folder)], check=True)
    return folder


def _write_tree(repository: Path, entries: dict[str, Entry]) -> str:
    """Give real git's answer for the same entries."""
    lines = []
    for path, entry in entries.items():
        blob = subprocess.run(
            ["git", "-C", str(repository), "hash-object", "-w", "--stdin"],
            input=entry.data,
            capture_output=True,
            check=True,
        ).stdout.strip()
        lines.append(b"%s %s\t%s\0" % (entry.mode.encode(), blob, path.encode()))
    git = ["git", "-C", str(repository)]
    subprocess.run([*git, "read-tree", "--empty"], check=True)
    subprocess.run([*git, "update-index", "-z", "--index-info"], input=b"".join(lines), check=True)
    return subprocess.run([*git, "write-tree"], capture_output=True, check=True, text=True).stdout.strip()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=trees())
def test_the_tree_id_is_what_git_computes(repository: Path, entries: dict[str, Entry]) -> None:
    assert tree_id(entries) == _write_tree(repository, entries)


@settings(deadline=None)
@given(entries=trees())
def test_archives_are_reproducible_and_read_back(entries: dict[str, Entry]) -> None:
    archive = pack_archive(entries)
    assert pack_archive(dict(reversed(entries.items()))) == archive
    assert read_archive([archive]) == entries
    assert read_archive(archive[at : at + 1] for at in range(len(archive))) == entries


@pytest.mark.parametrize(
    "paths", [["a", "a/b"], ["a/b", "a"], ["/a"], ["a//b"], [""], ["a/"], ["/".join("a" * 300)]]
)
def test_refuses_paths_that_no_tree_can_hold(paths: list[str]) -> None:
    with pytest.raises(FormatError) as error:
        tree_id({path: Entry("100644", b"") for path in paths})
    assert error.value.code == "PLY5012"


class Objects:
    """A git object store of SHA-256 ids, written by hand so that it may hold what git would refuse."""

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[str, bytes]] = {}

    def blob(self, data: bytes) -> bytes:
        return self._keep("blob", data)

    def tree(self, *items: tuple[str, bytes, bytes]) -> bytes:
        return self._keep(
            "tree", b"".join(b"%s %s\0%s" % (mode.encode(), name, i) for mode, name, i in items)
        )

    def read(self, identity: bytes) -> tuple[str, bytes]:
        return self.kept[identity]

    def _keep(self, kind: str, data: bytes) -> bytes:
        identity = len(self.kept).to_bytes(20, "big")
        self.kept[identity] = (kind, data)
        return identity


def _walk(objects: Objects, root: bytes) -> PackageTree:
    return read_package(root, objects.read)


def test_a_few_objects_that_name_each_other_many_times_end_the_walk() -> None:
    """Sixteen objects, a hundred folders in each folder: more than anybody can walk."""
    objects = Objects()
    root = objects.tree()
    for _ in range(15):
        root = objects.tree(*(("40000", b"d%02d" % number, root) for number in range(100)))
    found = _walk(objects, root).structure
    assert found[-1].rule == "limits"
    assert "members" in found[-1].detail


def test_reads_a_package_from_an_object_store() -> None:
    objects = Objects()
    blob = objects.blob(b"hello")
    root = objects.tree(("100644", b"a", blob), ("40000", b"d", objects.tree(("100755", b"x", blob))))
    package = _walk(objects, root)
    assert package.entries == {"a": Entry("100644", b"hello"), "d/x": Entry("100755", b"hello")}
    assert package.structure == []


@pytest.mark.parametrize(
    ("rule", "items"),
    [
        ("structure", [("100644", b"b"), ("100644", b"a")]),
        ("structure", [("100644", b"a"), ("100644", b"a")]),
        ("structure", [("100644", b"a"), ("40000", b"a")]),
        ("structure", [("100644", b"")]),
        ("structure", [("100644", b"a/b")]),
        ("modes", [("160000", b"a")]),
        ("modes", [("100664", b"a")]),
        ("modes", [("0100644", b"a")]),
        ("modes", [("040000", b"a")]),
    ],
)
def test_reports_what_a_tree_object_says_wrongly(rule: str, items: list[tuple[str, bytes]]) -> None:
    objects = Objects()
    blob = objects.blob(b"")
    folder = objects.tree(("100644", b"x", blob))
    root = objects.tree(*((mode, name, folder if mode == "40000" else blob) for mode, name in items))
    assert [found.rule for found in _walk(objects, root).structure] == [rule]


def test_reports_empty_folders_and_a_bomb_of_shared_folders() -> None:
    objects = Objects()
    root = objects.tree(("40000", b"d", objects.tree()))
    assert _walk(objects, root).structure[0].detail == "an empty folder"
    here = objects.tree(*(("100644", b"f%d" % number, objects.blob(b"")) for number in range(10)))
    for _ in range(10):
        here = objects.tree(*(("40000", b"d%d" % number, here) for number in range(10)))
    package = _walk(objects, here)
    assert package.structure[-1].rule == "limits"
    assert len(package.entries) <= 5_001


@given(st.binary(max_size=80))
def test_random_tree_objects_give_only_our_error(data: bytes) -> None:
    try:
        list(parse_tree_object(data, 20))
    except FormatError as error:
        assert error.code == "PLY5012"


def test_a_tree_can_be_built_from_ids_of_its_members() -> None:
    objects = tree_of([("a.b", "100644", bytes(32)), ("a", "40000", bytes(32))])
    assert objects == tree_of([("a", "40000", bytes(32)), ("a.b", "100644", bytes(32))])
