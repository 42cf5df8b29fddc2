"""Single grants compared: which path lies in which, which endpoint is which, and what counts as private.

>>> path_lies_in("src/lib", "./src"), path_lies_in("../etc", "."), path_lies_in("~/notes", ".")
(True, False, False)
>>> endpoint("http://127.0.0.1:11434")
Endpoint(url='http://127.0.0.1:11434', private=True)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from polyphony_schemas.values import JsonValue

# Says whether a path lies in a granted one: (path, grant). The runner gives one that resolves links.
PathLiesIn = Callable[[str, str], bool]
PATH_KEYS = frozenset({"read", "write"})
# A node gets these only when it names them itself.
NAMED_AT_NODE = frozenset({"secrets", "network", "write"})

_LITERAL_ADDRESS = re.compile(r"(?:http://)?(?:\[[0-9A-Fa-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):\d+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A network grant; ``private`` when it says so or names a literal address."""

    url: str
    private: bool


def path_lies_in(path: str, grant: str) -> bool:
    """Whether ``path`` is ``grant`` or below it, by the text alone.

    Never, when one begins with ``/`` or ``~`` and the other does not: only the runner knows where they lie.
    """
    inner, outer = posixpath.normpath(path), posixpath.normpath(grant)
    if inner == outer:
        return True
    if _beginning(inner) != _beginning(outer):
        return False
    if outer == ".":
        return inner != ".." and not inner.startswith("../")
    return inner.startswith(outer.rstrip("/") + "/")


def _beginning(path: str) -> str:
    return path[:1] if path.startswith(("/", "~")) else ""


def path_of(item: JsonValue) -> str:
    """The path of an item of ``read`` or ``write``."""
    return str(item.get("path", "")) if isinstance(item, Mapping) else str(item)


def endpoint(item: JsonValue) -> Endpoint:
    """An item of ``network``, read."""
    if isinstance(item, Mapping):
        url = str(item.get("url", ""))
        return Endpoint(url, bool(item.get("private", False)) or is_literal_address(url))
    return Endpoint(str(item), is_literal_address(str(item)))


def is_literal_address(url: str) -> bool:
    """Whether an endpoint names an IP address in place of a host."""
    return _LITERAL_ADDRESS.fullmatch(url) is not None


def covered(key: str, item: JsonValue, grant: JsonValue, lies_in: PathLiesIn = path_lies_in) -> bool:
    """Whether ``grant`` allows ``item``: paths equal or below, everything else by equality; view and mode do not count."""
    if key in PATH_KEYS:
        return lies_in(path_of(item), path_of(grant))
    if key == "network":
        asked, given = endpoint(item), endpoint(grant)
        return asked.url == given.url and (given.private or not asked.private)
    return item == grant


def text_of(item: JsonValue) -> str:
    """An item as a person would write it in a list."""
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key}: {_word(value)}" for key, value in item.items()) + "}"
    return _word(item)


def _word(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z][\w-]*", text) else f'"{text}"'
