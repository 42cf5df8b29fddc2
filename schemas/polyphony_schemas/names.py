"""Names: owners and packages, ids inside a document, and what ``uses`` may say.

Owner and package: lower-case letters, digits, single ``-`` inside, at most 40 characters. Ids (nodes, ports,
parameters, inputs, ``as`` names): ``[a-z][a-z0-9_]{0,62}``, no reserved word of the expression language or of
the document.

>>> parse_uses("polyphony/ruff@^1")
PackageReference(owner='polyphony', name='ruff', range=Range(source='^1', terms=((...
>>> parse_uses("./nodes/work"), parse_uses("core/set")
(LocalReference(path='nodes/work'), CoreReference(name='set'))
>>> nearest("conections", ["connections", "config"])
'connections'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from polyphony_schemas.errors import FormatError
from polyphony_schemas.semver import Range

BAD_NAME = "PLY1306"
BAD_ID = "PLY1307"
BAD_REFERENCE = "PLY1308"

FIRST_PARTY_OWNER = "polyphony"
# For schemas and RE2 alike, so without lookaround; a name has at most MAX_NAME characters besides.
MAX_NAME = 40
NAME_PATTERN = r"^[a-z0-9](-?[a-z0-9])*$"
ID_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

# CEL's own words (specification, "IDENT" less RESERVED), and those that Polyphony gives a meaning.
CEL_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
DOCUMENT_RESERVED = frozenset(
    [
        "inputs",
        "state",
        "round",
        "index",
        "error",
        "failed",
        "undone",
        "run",
        "trigger",
        "true",
        "false",
        "null",
    ]
)
RESERVED_IDS = CEL_RESERVED | DOCUMENT_RESERVED
CORE_NODES = ("approve", "merge", "raise", "set", "signal", "stop", "switch", "wait")

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_ID = re.compile(ID_PATTERN, re.ASCII)
_PATH_START = (".", "/", "~")
# What a package has exactly one of at its root.
MELODY_FILES = ("melody.yaml", "melody.json")
EXTENSION_FILES = ("extension.yaml", "extension.json")
MANIFESTS = (*MELODY_FILES, *EXTENSION_FILES)
_PATH_END = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class PackageReference:
    """``owner/name@RANGE``."""

    owner: str
    name: str
    range: Range

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"{self.full_name}@{self.range}"


@dataclass(frozen=True, slots=True)
class LocalReference:
    """A folder of the same package: ``path`` is relative to the file that says it, normalised, "." for itself."""

    path: str


@dataclass(frozen=True, slots=True)
class CoreReference:
    """``core/NAME``, a node of the Conductor itself."""

    name: str


Uses = PackageReference | LocalReference | CoreReference


def check_name(text: str, what: str = "name") -> str:
    """``text`` if it is an owner or package name; raises FormatError (PLY1306)."""
    if len(text) > MAX_NAME or not _NAME.fullmatch(text):
        raise FormatError(
            BAD_NAME,
            f"got {what} {text[:80]!r}, expected 1 to 40 lower-case letters, digits and single '-' inside",
            hint=f"write the {what} like 'my-package'",
        )
    return text


def check_id(text: str, what: str = "id") -> str:
    """``text`` if it may name a node, port, parameter, input or ``as`` variable; raises FormatError (PLY1307)."""
    if not _ID.fullmatch(text):
        raise FormatError(
            BAD_ID,
            f"got {what} {text[:80]!r}, expected a lower-case letter, then at most 62 of a-z, 0-9 and _",
            hint=f"write the {what} like 'my_step'",
        )
    if text in RESERVED_IDS:
        raise FormatError(
            BAD_ID,
            f"got {what} {text!r}, which is a reserved word of expressions",
            hint=f"choose another {what}, like '{text}_1'",
        )
    return text


def looks_like_path(text: str) -> bool:
    """Whether a command line word is a path: it starts with ``. / ~`` or ends in ``.yaml .yml .json``."""
    return text.startswith(_PATH_START) or text.endswith(_PATH_END)


def parse_package(text: str) -> PackageReference:
    """A package as the command line names it: ``[owner/]name[@RANGE]``; the owner defaults to the first party.

    Raises FormatError (PLY1305, PLY1306).
    """
    path, mark, wanted = text.partition("@")
    owner, slash, name = path.rpartition("/")
    owner = owner if slash else FIRST_PARTY_OWNER
    return PackageReference(
        check_name(owner, "owner"), check_name(name, "package name"), Range.parse(wanted if mark else "*")
    )


def parse_uses(text: str) -> Uses:
    """What a node's ``uses`` names; raises FormatError (PLY1305, PLY1306, PLY1308)."""
    if text == "." or text.startswith(("./", "../")) or text == "..":
        return LocalReference(_normal_path(text))
    if text.startswith("core/"):
        name = text.removeprefix("core/")
        if name not in CORE_NODES:
            raise FormatError(
                BAD_REFERENCE,
                f"got core node {text[:80]!r}, expected one of {', '.join('core/' + n for n in CORE_NODES)}",
                hint=did_you_mean(text, ("core/" + n for n in CORE_NODES)) or "use one of the core nodes",
            )
        return CoreReference(name)
    path, mark, _ = text.partition("@")
    if path.count("/") != 1 or not mark:
        raise FormatError(
            BAD_REFERENCE,
            f"got uses {text[:80]!r}, expected owner/name@RANGE, ./path, '.' or core/NAME",
            hint=_uses_hint(path),
        )
    return parse_package(text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``, if any is close."""
    if len(word) > 200:
        return None
    matches = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint for an unknown word: the nearest known one as a question, or ""."""
    found = nearest(word, known)
    return f"did you mean {found!r}?" if found else ""


def _uses_hint(path: str) -> str:
    if path.count("/") == 1:
        return f"add a version range, like {path}@^1"
    if path and "/" not in path:
        return f"write {FIRST_PARTY_OWNER}/{path}@^1 for a first-party package, or ./{path} for a folder of this one"
    return "write owner/name@^1 for a package, or ./path for a folder of this one"


def _normal_path(text: str) -> str:
    parts: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    if any(set(part) & {"\\", "\0", ":"} for part in parts):
        raise FormatError(
            BAD_REFERENCE,
            f"got path {text[:80]!r}, expected folder names joined by '/'",
            hint="write the folder relative to this file, like ./nodes/work",
        )
    return "/".join(parts) or "."
