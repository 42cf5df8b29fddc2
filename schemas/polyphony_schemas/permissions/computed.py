"""A computed grant is a path, an address or a word: how something is written, and what is private, stands in the document.

A value that reaches a grant may come from a node, a person or the network. Were it taken as a map, it could say
``mode: direct`` or ``private: true``, which nobody read when they agreed.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.graph.model import Template
from polyphony_schemas.values import JsonValue


def not_a_text(templates: Mapping[str, Template], values: Mapping[str, JsonValue]) -> str | None:
    """What is wrong with the first computed grant that is no text, by key and evaluated list; None when all are.

    >>> from polyphony_schemas.graph.model import Expression
    >>> grant = Template(["${ a.x }"], {(0,): Expression("a.x")})
    >>> not_a_text({"write": grant}, {"write": ["out"]})
    >>> not_a_text({"write": grant}, {"write": [{"path": "out", "mode": "direct"}]})
    'write: ${ a.x } gives an object, expected a text'
    """
    for key, template in templates.items():
        value = values.get(key)
        for place, expression in template.expressions.items():
            item: JsonValue = value
            for step in place:
                item = item[step] if isinstance(item, (Mapping, list, tuple)) else None  # type: ignore[index]  # a place in this very value
            if not isinstance(item, str):
                return f"{key}: ${{ {expression.source} }} gives {_kind(item)}, expected a text"
    return None


def _kind(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, (list, tuple)) else f"{value!r}"[:40]
