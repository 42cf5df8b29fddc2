"""The OpenAPI description. A test compares its paths with the route table."""

from __future__ import annotations

from collections.abc import Sequence

from polyphony_registry.settings import Settings
from polyphony_schemas.values import JsonObject, JsonValue

_NAME: JsonObject = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}
_HEX: JsonObject = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BASE64: JsonObject = {"type": "string", "contentEncoding": "base64"}
_PACKAGE: list[JsonValue] = [
    {"name": "owner", "in": "path", "required": True, "schema": _NAME},
    {"name": "name", "in": "path", "required": True, "schema": _NAME},
]
_PROBLEM: JsonObject = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:polyphony:error:PLY[0-9]{4}$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^PLY[0-9]{4}$"},
        "hint": {"type": "string"},
        "details": {"type": "object"},
    },
}
_SUMMARY: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "kind": {"enum": ["melody", "extension"]},
        "role": {"enum": ["", "instrument", "operator", "addon"]},
        "summary": {"type": "string"},
        "keywords": {"type": "array", "items": {"type": "string"}},
        "published": {"type": "integer", "description": "unix seconds"},
    },
}
_VERSION: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "tree": _HEX,
        "permissions": _HEX,
        "bundle": _HEX,
        "signer": {"type": "string"},
        "log_index": {"type": "integer"},
        "at": {"type": "integer"},
        "checkpoint": {"type": "string", "description": "the signed note that covers the record"},
        "enrolled": {"type": "boolean"},
    },
}
_SUBMISSION: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "commit", "bundle"],
    "properties": {
        "version": {"type": "string"},
        "commit": {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
        "bundle": {**_BASE64, "description": "a Sigstore bundle, its bytes"},
        "enrol": {**_BASE64, "description": "a key:v1 bundle signed by the new key itself"},
    },
}


def document(settings: Settings) -> JsonObject:
    """The whole description, for this registry."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Polyphony registry {settings.origin}",
            "version": "1",
            "description": "Everything that installs reads the static files instead: /index, /archive, /bundle, /log",
        },
        "servers": [{"url": settings.url}],
        "paths": {
            "/api/v1/whoami": {"get": _operation("Whom the token stands for", _object(), token=True)},
            "/api/v1/search": {
                "get": _operation(
                    "Search packages",
                    {"type": "object", "properties": {"results": {"type": "array", "items": _SUMMARY}}},
                    parameters=[_query("q"), _query("kind"), _query("tag"), _query("limit")],
                )
            },
            "/api/v1/packages/{owner}/{name}": {
                "get": _operation("A package and its versions", _object(), parameters=_PACKAGE)
            },
            "/api/v1/packages/{owner}/{name}/versions": {
                "post": {
                    **_operation(
                        "Publish a version", _VERSION, parameters=_PACKAGE, status="201", token=True
                    ),
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": _SUBMISSION}},
                    },
                }
            },
            "/api/v1/openapi.json": {"get": _operation("This description", _object())},
        },
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    summary: str,
    schema: JsonObject,
    *,
    parameters: Sequence[JsonValue] = (),
    status: str = "200",
    token: bool = False,
) -> dict[str, JsonValue]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, JsonValue] = {
        "summary": summary,
        "responses": {
            status: {"description": summary, "content": {"application/json": {"schema": schema}}},
            "default": {"description": "a problem", "content": problem},
        },
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if token:
        operation["security"] = [{"token": []}]
    return operation


def _query(name: str) -> dict[str, JsonValue]:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _object() -> JsonObject:
    return {"type": "object"}
