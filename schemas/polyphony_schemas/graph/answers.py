"""Whether the answer to a task has the form that the task asks for (``task.outputs.format``, docs/melody.md).

The answer is what comes from the ports that the extension marks ``from_task``, or from its only output. Whether a diff
fits the files it is about is asked where those files are (``runtimes.answers``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from polyphony_schemas.graph.model import Port
from polyphony_schemas.graph.unified_diff import DiffError, read_diff
from polyphony_schemas.values import JsonObject, JsonValue

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*\n(.*?)\n?\1[ \t]*", re.DOTALL)
_EDGE = re.compile(r"^(```|~~~)", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ALIASES = {
    "py": "python",
    "yml": "yaml",
    "js": "javascript",
    "ts": "typescript",
    "sh": "bash",
    "shell": "bash",
}


def answer_ports(ports: Mapping[str, Port]) -> tuple[str, ...]:
    """The ports that carry the answer to a task."""
    marked = tuple(name for name, port in ports.items() if port.from_task)
    return marked or (tuple(ports) if len(ports) == 1 else ())


def check_answer(ports: Mapping[str, Port], outputs: JsonObject, task: JsonObject) -> str | None:
    """What is wrong with the form of the answer, None when it is as the task asks. A generated task asks for none."""
    expected = task.get("outputs")
    form = expected.get("format") if isinstance(expected, Mapping) else None
    if not isinstance(expected, Mapping) or form is None or task.get("generated") is True:
        return None
    for name in answer_ports(ports):
        if name in outputs and (wrong := _CHECKS[str(form)](outputs[name], expected)) is not None:
            return f"the output {name!r} is no {form} as the task asks: {wrong}"
    return None


def _json(value: JsonValue, expected: JsonObject) -> str | None:
    if not isinstance(value, str) or "schema" in expected:
        return None  # any value is JSON, and the schema is checked as that of the port
    return _json_text(value)


def _text(value: JsonValue, expected: JsonObject) -> str | None:
    del expected
    if not isinstance(value, str):
        return f"got {type(value).__name__}, expected text"
    return None if value.strip() else "got nothing but blanks"


def _code(value: JsonValue, expected: JsonObject) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "got no text"
    language = str(expected.get("language") or "")
    code = value
    if _EDGE.search(value):
        block = _FENCE.fullmatch(value.strip())
        if block is None or _EDGE.search(block[3]):
            return "got text around the code block, or several blocks; expected one block and nothing else"
        named, code = block[2], block[3]
        if language and _language(named or language) != _language(language):
            return f"got a block of {named!r}, expected {language!r}"
    check = _PARSERS.get(_language(language))
    return None if check is None else check(code)


def _diff(value: JsonValue, expected: JsonObject) -> str | None:
    del expected
    if not isinstance(value, str):
        return f"got {type(value).__name__}, expected text"
    try:
        read_diff(value)
    except DiffError as error:
        return str(error)
    return None


def _file(value: JsonValue, expected: JsonObject) -> str | None:
    del expected
    if isinstance(value, Mapping) and {"digest", "name", "media_type", "size"} <= value.keys():
        return None if _DIGEST.fullmatch(str(value["digest"])) else "its digest is none"
    return "expected a file: an artifact of the run"


def _language(name: str) -> str:
    return _ALIASES.get(name.lower(), name.lower())


def _json_text(text: str) -> str | None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def _yaml_text(text: str) -> str | None:
    from polyphony_schemas.yaml12 import read_yaml

    problems = read_yaml(text.encode(), "the code").problems
    return problems[0].message if problems else None


_PARSERS: dict[str, Callable[[str], str | None]] = {"json": _json_text, "yaml": _yaml_text}
_CHECKS: dict[str, Callable[[JsonValue, JsonObject], str | None]] = {
    "json": _json,
    "text": _text,
    "code": _code,
    "diff": _diff,
    "file": _file,
}
