"""Permissions in plain words, for the question at install, the package page and the preview.

>>> for line in describe({"read": ("${ inputs.path }",), "network": ("api.example.com:443", "127.0.0.1:80")}):
...     print(line)
reads what you give as path
talks to api.example.com:443
reaches services of your own machine or network: 127.0.0.1:80
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from polyphony_schemas.permissions.items import endpoint, path_of
from polyphony_schemas.permissions.keys import PACKAGE_INDEX, Declared
from polyphony_schemas.values import JsonValue

_INPUT = re.compile(r"\$\{\s*inputs\.([a-z][a-z0-9_]*)\s*\}")
_PLAIN = {
    "run": "runs programs of this machine: ",
    "env": "sees the environment variables ",
    "secrets": "uses the secrets ",
    "models": "uses the models ",
}
_GRANTED = {
    "read": "reads the paths that the melody names",
    "write": "writes the paths that the melody names",
    "run": "runs the programs that the melody names",
    "env": "sees the environment variables that the melody names",
    "network": "talks to the hosts that the melody names",
    "secrets": "uses the secrets that the melody names",
    "models": "uses the models that the melody names",
}


def describe(permissions: Declared) -> list[str]:
    """One sentence part for each thing that is allowed; ``["nothing beyond its own files"]`` when that is all."""
    lines: list[str] = []
    for key in ("read", "write", "run", "env", "network", "secrets", "models"):
        items = permissions.get(key, ())
        if items == "granted":
            lines.append(_GRANTED[key])
        elif items:
            lines.extend(_lines(key, items))
    return lines or ["nothing beyond its own files"]


def _lines(key: str, items: Iterable[JsonValue]) -> list[str]:
    if key == "read":
        return [f"reads {_path(item)}" for item in items]
    if key == "write":
        return [f"writes {_path(item)}{_mode(item)}" for item in items]
    if key == "network":
        return _network(items)
    return [_PLAIN[key] + ", ".join(str(item) for item in items)]


def _path(item: JsonValue) -> str:
    path = path_of(item)
    found = _INPUT.fullmatch(path)
    if found:
        return f"what you give as {found[1]}"
    return "the current folder" if path == "." else path


def _mode(item: JsonValue) -> str:
    direct = isinstance(item, Mapping) and item.get("mode") == "direct"
    return " directly" if direct else " after you have seen the changes"


def _network(items: Iterable[JsonValue]) -> list[str]:
    lines, private = [], []
    for item in items:
        found = endpoint(item)
        if found.url == PACKAGE_INDEX:
            lines.append("downloads from the package index of this machine")
        elif found.private:
            private.append(found.url)
        else:
            plain = " without encryption" if found.url.startswith("http://") else ""
            lines.append(f"talks to {found.url.removeprefix('http://')}{plain}")
    if private:
        lines.append("reaches services of your own machine or network: " + ", ".join(private))
    return lines
