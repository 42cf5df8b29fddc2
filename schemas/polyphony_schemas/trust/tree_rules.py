"""What a package tree may not hold: one function for publish, install, mirror and unpack, reporting all at once.

``git fsck --strict`` lets most of this pass; the rules keep one tree one thing on every file system and in every
reader. A ``Refusal`` names the rule, the path and what was found.

>>> from polyphony_schemas.trust.tree import Entry
>>> [refusal.rule for refusal in refusals({"a/CON.txt": Entry("100644", b""), "b": Entry("120000", b"../x")})]
['windows', 'links']

Rules: ``modes structure git characters windows collisions links limits``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from polyphony_schemas.trust.tree import LINK, Entries, Entry

Rule = Literal["modes", "structure", "git", "characters", "windows", "collisions", "links", "limits"]

MAX_ENTRIES = 5_000
MAX_DEPTH = 16
MAX_NAME_BYTES = 100
MAX_PATH_BYTES = 240
MAX_BLOB_BYTES = 8 * 1024 * 1024
MAX_TOTAL_BYTES = 32 * 1024 * 1024
MAX_TARGET_BYTES = 255

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_FORBIDDEN_CHARACTERS = frozenset('\\:*?"<>|')
_MODES = frozenset({"100644", "100755", "120000"})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [port + digit for port in ("com", "lpt") for digit in "123456789¹²³"]
)
_PLAIN_NAME = re.compile(r"[a-z0-9_-]{4,100}(\.[a-z0-9_-]+)+\Z|[a-z0-9_-]{5,100}\Z")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing a tree may not hold: the rule, the path (``""`` for the whole tree), what was found."""

    rule: Rule
    path: str
    detail: str

    def __str__(self) -> str:
        return f"{self.path or 'the tree'}: {self.detail} ({self.rule})"


def refusals(entries: Entries, *, structure: Sequence[Refusal] = ()) -> list[Refusal]:
    """Give everything that is wrong with a tree, in path order; an empty list means it may be published.

    ``structure`` carries what the reader of the tree or archive met before there were entries (``tree_objects``).
    """
    found = list(structure)
    found.extend(_limits(entries))
    members: dict[str, set[str]] = {}
    for path, entry in entries.items():
        parts = path.split("/")
        found.extend(_path(path, parts))
        for depth, name in enumerate(parts):
            members.setdefault("/".join(parts[:depth]), set()).add(name)
        if entry.mode not in _MODES:
            found.append(
                Refusal("modes", path, f"mode {entry.mode}, allowed are {', '.join(sorted(_MODES))}")
            )
    for folder, names in members.items():
        prefix = folder + "/" if folder else ""
        for name in names:
            found.extend(_name(prefix + name, name))
        found.extend(_collisions(prefix, names))
    found.extend(_both_file_and_folder(entries, members))
    for path, entry in entries.items():
        if entry.mode == LINK:
            found.extend(_link(path, entry, entries, members))
    return sorted(set(found), key=lambda refusal: (refusal.path, refusal.rule, refusal.detail))


def _limits(entries: Entries) -> Iterator[Refusal]:
    if len(entries) > MAX_ENTRIES:
        yield Refusal("limits", "", f"{len(entries)} entries, at most {MAX_ENTRIES}")
    total = sum(len(entry.data) for entry in entries.values())
    if total > MAX_TOTAL_BYTES:
        yield Refusal("limits", "", f"{total} bytes in all, at most {MAX_TOTAL_BYTES}")
    for path, entry in entries.items():
        if len(entry.data) > MAX_BLOB_BYTES:
            yield Refusal("limits", path, f"{len(entry.data)} bytes, at most {MAX_BLOB_BYTES}")


def _path(path: str, parts: list[str]) -> Iterator[Refusal]:
    if len(parts) > MAX_DEPTH:
        yield Refusal("limits", path, f"{len(parts)} levels, at most {MAX_DEPTH}")
    size = len(path.encode("utf-8", "surrogatepass"))
    if size > MAX_PATH_BYTES:
        yield Refusal("limits", path, f"a path of {size} bytes, at most {MAX_PATH_BYTES}")


def _name(path: str, name: str) -> Iterator[Refusal]:
    if _PLAIN_NAME.match(
        name
    ):  # nothing below can hold: no device stem is that long, no character is special
        return
    if name in {"", ".", ".."} or "\0" in name or "/" in name:
        yield Refusal("structure", path, f"the name {name!r}")
        return
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > MAX_NAME_BYTES:
        yield Refusal("limits", path, f"a name of {size} bytes, at most {MAX_NAME_BYTES}")
    yield from _git(path, name)
    for detail in _characters(name):
        yield Refusal("characters", path, detail)
    stem = name.split(".", 1)[0].rstrip(" ").casefold()
    if stem in _DEVICES:
        yield Refusal("windows", path, f"{stem!r} is a device on Windows")


def _git(path: str, name: str) -> Iterator[Refusal]:
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf").rstrip(". ").casefold()
    if seen == ".git" or re.fullmatch(r"git~[0-9]+", seen):
        yield Refusal("git", path, f"{name!r} is git's own folder on some file system")
    if seen == ".gitmodules":
        yield Refusal("modes", path, "submodules are no part of a package")


def _characters(name: str) -> Iterator[str]:
    if not unicodedata.is_normalized("NFC", name):
        yield "the name is not in Unicode form NFC"
    for character in sorted(set(name)):
        category = unicodedata.category(character)
        if category in _FORBIDDEN_CATEGORIES:
            yield f"the character U+{ord(character):04X} ({category})"
        elif category.startswith("Z") and character != " ":
            yield f"the space U+{ord(character):04X}, only U+0020 is allowed"
        elif character in _FORBIDDEN_CHARACTERS:
            yield f"the character {character!r}"
    if name != name.strip(" "):
        yield "a space at the beginning or end"
    if name.endswith("."):
        yield "a dot at the end"


def _collisions(prefix: str, names: set[str]) -> Iterator[Refusal]:
    first: dict[str, str] = {}
    for name in sorted(names):
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
        other = first.setdefault(folded, name)
        if other != name:
            yield Refusal("collisions", prefix + name, f"one name with {other!r} on some file system")


def _both_file_and_folder(entries: Entries, members: Mapping[str, set[str]]) -> Iterator[Refusal]:
    for folder in members:
        if folder in entries:
            yield Refusal("structure", folder, "a file and a folder of one name")


def _link(path: str, entry: Entry, entries: Entries, members: Mapping[str, set[str]]) -> Iterator[Refusal]:
    if not 0 < len(entry.data) <= MAX_TARGET_BYTES:
        yield Refusal(
            "links", path, f"a target of {len(entry.data)} bytes, allowed are 1 to {MAX_TARGET_BYTES}"
        )
        return
    try:
        target = entry.data.decode("utf-8")
    except UnicodeDecodeError:
        yield Refusal("links", path, "a target that is not UTF-8")
        return
    if target.startswith("/") or "\0" in target or "\\" in target:
        yield Refusal("links", path, f"the target {target!r} is not a relative path")
        return
    here = path.split("/")[:-1]
    for part in target.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            if not here:
                yield Refusal("links", path, f"the target {target!r} leaves the tree")
                return
            here.pop()
            continue
        here.append(part)
        reached = "/".join(here)
        if reached in entries and entries[reached].mode == LINK:
            yield Refusal("links", path, f"the target {target!r} goes through the link {reached!r}")
            return
        if reached not in entries and reached not in members:
            yield Refusal("links", path, f"the target {target!r} does not exist")
            return
