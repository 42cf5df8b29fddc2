"""A line of the journal as a model: what its published JSON Schema is made from. ``journal.py`` reads and writes lines."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic import JsonValue as PydanticJson

from polyphony_schemas.journal import HASH_PATTERN, NODE_PATH_PATTERN, TIME_PATTERN, EventType


def _matching(pattern: str) -> Any:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {pattern}")
        return text

    return AfterValidator(check)


NodePathText = Annotated[
    str, _matching(NODE_PATH_PATTERN), Field(json_schema_extra={"pattern": NODE_PATH_PATTERN})
]
TimeText = Annotated[str, _matching(TIME_PATTERN), Field(json_schema_extra={"pattern": TIME_PATTERN})]
HashText = Annotated[str, _matching(HASH_PATTERN), Field(json_schema_extra={"pattern": HASH_PATTERN})]


class JournalEvent(BaseModel):
    """One line. ``node`` is a path such as ``fix[3]/lint``; ``attempt`` counts from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Literal[1]
    seq: Annotated[int, Field(ge=0)]
    at: TimeText
    type: EventType
    node: NodePathText | None
    attempt: Annotated[int, Field(ge=1)] | None
    data: dict[str, PydanticJson]
    prev: HashText
