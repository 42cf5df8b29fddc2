"""Which project a node that holds ``package-index`` asks for first: the page of that name tells the file hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from polyphony_runner.runtimes.protocol import Assignment
from polyphony_schemas.values import JsonValue

# Where extensions take names of projects from, nearest first.
_KEYS = ("package", "project", "name", "names", "packages", "requirements", "dependencies")
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:[\[=<>!~;@ ].*)?", re.DOTALL)


def asked_names(assignment: Assignment) -> list[str]:
    """The first name found among the node's parameters and inputs; empty when it names none."""
    for values in (assignment.parameters, assignment.inputs):
        for key in _KEYS:
            for text in _texts(values.get(key)):
                found = _NAME.fullmatch(text)
                if found:
                    return [found[1]]
    return []


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence) and not isinstance(value, Mapping):
        yield from (item for item in value if isinstance(item, str))
