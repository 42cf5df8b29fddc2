"""From what a model wrote to a value that fits the schema."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

SHOWN = 10  # problems that go back to the model


class Misfit(Exception):  # noqa: N818  # a message to the model, no bug
    """The answer does not fit; the message tells the model what is wrong."""


def parse(text: str, schema: dict[str, Any]) -> object:
    """The answer as a value. Misfit when it is no JSON, or not as the schema says."""
    try:
        value: object = json.loads(without_fence(text), parse_constant=refuse_constant)
    except ValueError as error:
        raise Misfit(f"That is not JSON: {error}. Answer with one JSON value and nothing else.") from None
    problems = [f"{found.json_path}: {found.message[:300]}" for found in errors(value, schema)]
    if problems:
        raise Misfit("That JSON does not fit the schema:\n" + "\n".join(problems[:SHOWN]))
    return value


def errors(value: object, schema: dict[str, Any]) -> list[Any]:
    """What the schema says about a value."""
    return list(Draft202012Validator(schema).iter_errors(value))


def without_fence(text: str) -> str:
    """The answer without the Markdown fence that many models put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        return text.partition("\n")[2].removesuffix("```").strip()
    return text


def refuse_constant(word: str) -> None:
    """``NaN`` and ``Infinity`` are no JSON."""
    raise ValueError(f"{word} is no JSON number")
