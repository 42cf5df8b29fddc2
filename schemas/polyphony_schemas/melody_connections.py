"""Connections of a melody, in either notation: ``a.out -> b.in`` as a text, or a map that may have a condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from polyphony_schemas.documents.base import DocumentModel, refuse
from polyphony_schemas.documents.fields import BY_SHAPE, MAP, TEXT, CelText

_END = r"([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?"
CONNECTION_PATTERN = rf"^\s*{_END}\s+->\s+{_END}\s*$"


def _connection_text(text: str) -> str:
    if not re.fullmatch(CONNECTION_PATTERN, text):
        raise refuse(
            4, f"{text!r} is not a connection", expected="a.port -> b.port, or a -> b for order alone"
        )
    return text


def _end(text: str) -> str:
    if not re.fullmatch(_END, text):
        raise refuse(4, f"{text!r} is not an end of a connection", expected="node.port, or node alone")
    return text


class ConnectionMap(DocumentModel):
    """A connection that may have a condition; without ports it is order only."""

    from_: Annotated[str, AfterValidator(_end)] = Field(alias="from")
    to: Annotated[str, AfterValidator(_end)]
    when: CelText | None = None


ConnectionText = Annotated[
    str, AfterValidator(_connection_text), Field(json_schema_extra={"pattern": CONNECTION_PATTERN})
]
ConnectionValue = Annotated[Annotated[ConnectionText, TEXT] | Annotated[ConnectionMap, MAP], BY_SHAPE]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection in either notation, read."""

    source: str
    source_port: str | None
    target: str
    target_port: str | None
    when: str | None = None


def read_connection(value: str | ConnectionMap) -> Connection:
    """The ends of a connection.

    >>> read_connection("a.n -> b.n")
    Connection(source='a', source_port='n', target='b', target_port='n', when=None)
    """
    if isinstance(value, str):
        start, _, end = value.partition("->")
        when = None
    else:
        start, end, when = value.from_, value.to, value.when
    source, _, source_port = start.strip().partition(".")
    target, _, target_port = end.strip().partition(".")
    return Connection(source, source_port or None, target, target_port or None, when)
