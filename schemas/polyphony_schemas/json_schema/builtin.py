"""The schemas that ship with Polyphony, by the name a ``$ref`` uses.

- ``urn:polyphony:file`` and ``urn:polyphony:directory``: a reference to an artifact.
- ``urn:polyphony:sarif``: findings with places, the part of SARIF 2.1.0 that tools and reports share.
- ``urn:polyphony:junit``: a test report, the numbers and cases of JUnit's XML as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polyphony_schemas.values import JsonObject, JsonValue

PREFIX: Final = "urn:polyphony:"


def _artifact(kind: str) -> JsonObject:
    return {
        "title": f"A {kind} kept as an artifact",
        "type": "object",
        "format": kind,
        "required": ["digest", "name", "media_type", "size"],
        "additionalProperties": False,
        "properties": {
            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^/\\x00]+$"},
            "media_type": {"type": "string", "minLength": 1, "maxLength": 255},
            "size": {"type": "integer", "minimum": 0},
        },
    }


_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_PLACE_NUMBER: JsonObject = {"type": "integer", "minimum": 1}
_TEXT: JsonObject = {"type": "string"}
_MESSAGE: JsonObject = {
    "type": "object",
    "properties": {"text": _TEXT, "markdown": _TEXT, "id": _TEXT},
    "anyOf": [{"required": ["text"]}, {"required": ["id"]}],
}
_REGION: JsonObject = {
    "type": "object",
    "properties": {
        "startLine": _PLACE_NUMBER,
        "startColumn": _PLACE_NUMBER,
        "endLine": _PLACE_NUMBER,
        "endColumn": _PLACE_NUMBER,
        "snippet": {"type": "object", "properties": {"text": _TEXT}},
    },
}
_LOCATION: JsonObject = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "properties": {
                "artifactLocation": {"type": "object", "properties": {"uri": _TEXT, "uriBaseId": _TEXT}},
                "region": {"$ref": "#/$defs/region"},
            },
        },
        "message": {"$ref": "#/$defs/message"},
    },
}
_RULE: JsonObject = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "shortDescription": {"$ref": "#/$defs/message"},
        "fullDescription": {"$ref": "#/$defs/message"},
        "helpUri": _TEXT,
    },
}
_RESULT: JsonObject = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "ruleId": _TEXT,
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        "message": {"$ref": "#/$defs/message"},
        "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
        "fixes": {"type": "array", "items": {"type": "object"}},
    },
}
_RUN: JsonObject = {
    "type": "object",
    "required": ["tool"],
    "properties": {
        "tool": {
            "type": "object",
            "required": ["driver"],
            "properties": {
                "driver": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "version": _TEXT,
                        "informationUri": _TEXT,
                        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
                    },
                }
            },
        },
        "results": {"type": ["array", "null"], "items": {"$ref": "#/$defs/result"}},
    },
}
_SARIF: JsonObject = {
    "title": "Findings with places: a SARIF 2.1.0 log",
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": _TEXT,
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": _RUN,
        "result": _RESULT,
        "rule": _RULE,
        "location": _LOCATION,
        "region": _REGION,
        "message": _MESSAGE,
    },
}
_CASE: JsonObject = {
    "type": "object",
    "required": ["name", "status"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "suite": _TEXT,
        "file": _TEXT,
        "line": _PLACE_NUMBER,
        "status": {"enum": ["passed", "failed", "error", "skipped"]},
        "seconds": {"type": "number", "minimum": 0},
        "message": _TEXT,
        "trace": _TEXT,
    },
}
_JUNIT: JsonObject = {
    "title": "A test report",
    "type": "object",
    "required": ["tests", "failures", "errors", "skipped", "seconds", "cases"],
    "additionalProperties": False,
    "properties": {
        "tests": _COUNT,
        "failures": _COUNT,
        "errors": _COUNT,
        "skipped": _COUNT,
        "seconds": {"type": "number", "minimum": 0},
        "cases": {"type": "array", "items": _CASE},
    },
}

BUILTIN: Final[Mapping[str, JsonObject]] = {
    f"{PREFIX}file": _artifact("file"),
    f"{PREFIX}directory": _artifact("directory"),
    f"{PREFIX}sarif": _SARIF,
    f"{PREFIX}junit": _JUNIT,
}


def lookup(reference: str, root: object) -> JsonValue:
    """What ``$ref: reference`` in the bundled schema ``root`` means, or None when there is no such place."""
    base, _, pointer = reference.partition("#")
    here: object = BUILTIN.get(base) if base else root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping):
            here = here.get(key)
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            return None
    return here if isinstance(here, (Mapping, bool)) else None
