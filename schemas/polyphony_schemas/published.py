"""The JSON Schemas (2020-12) of every format, made from the models: what editors and other programs read.

>>> schema = json_schemas()["melody.json"]
>>> schema["$id"], schema["properties"]["melody"]["const"]
('urn:polyphony:schema:melody:v1', 'v1')
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """All schemas by file name."""
    from polyphony_schemas.extension import Extension
    from polyphony_schemas.journal_document import JournalEvent
    from polyphony_schemas.lock_document import Lock
    from polyphony_schemas.melody import Melody
    from polyphony_schemas.melody_cases import TestCase
    from polyphony_schemas.melody_local import LocalFile
    from polyphony_schemas.trust.records import Record
    from polyphony_schemas.trust.statement import KeyStatement, PublishStatement

    models: dict[str, type[BaseModel] | TypeAdapter[Any]] = {
        "melody": Melody,
        "melody-local": LocalFile,
        "extension": Extension,
        "test-case": TestCase,
        "lock": Lock,
        "journal-event": JournalEvent,
        "publish-statement": PublishStatement,
        "key-statement": KeyStatement,
        "log-record": TypeAdapter(Record),
    }
    return {f"{name}.json": _schema(name, model) for name, model in models.items()}


def _schema(name: str, model: type[BaseModel] | TypeAdapter[Any]) -> dict[str, Any]:
    if isinstance(model, TypeAdapter):
        schema = model.json_schema(by_alias=True)
    else:
        schema = model.model_json_schema(by_alias=True)
    portable = _portable(schema)
    return {"$schema": DIALECT, "$id": f"urn:polyphony:schema:{name}:v1", **portable}


def _portable(value: Any) -> Any:
    """Patterns as JSON Schema wants them: its regular expressions know ``^ $`` and not ``\\A \\z``."""
    if isinstance(value, dict):
        return {
            key: item.replace(r"\A", "^").replace(r"\z", "$")
            if key == "pattern" and isinstance(item, str)
            else _portable(item)
            for key, item in value.items()
        }
    return [_portable(item) for item in value] if isinstance(value, list) else value
