"""The base of every document model: unknown keys are errors, keys that start with ``x-`` are kept aside.

Shared shape rules of all formats (melody, extension, lock, test case): strict JSON types (``1.0`` is no text,
``"1"`` is no number), no unknown key, ``x-`` keys ignored, documents are immutable once read.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Strict, model_validator
from pydantic_core import PydanticCustomError

from polyphony_schemas.documents.codes import Rule
from polyphony_schemas.errors import FormatError

T = TypeVar("T")

# A JSON list in a strict model.
Items = Annotated[tuple[T, ...], Strict(False)]


class DocumentModel(BaseModel):
    """One map of a document. Extension keys (``x-…``) may stand anywhere and mean nothing to us."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"patternProperties": {"^x-": True}},
    )

    @model_validator(mode="before")
    @classmethod
    def _set_extension_keys_aside(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(isinstance(key, str) and key.startswith("x-") for key in value):
            return {key: item for key, item in value.items() if not str(key).startswith("x-")}
        return value


def refuse(rule: Rule, message: str, *, expected: str = "", hint: str = "") -> PydanticCustomError:
    """The error that a field's own check raises; ``rule`` chooses the problem's code."""
    # The message travels in the context: pydantic would treat braces in a template as placeholders.
    context = {"message": message, "rule": rule, "expected": expected, "hint": hint}
    return PydanticCustomError("document", "{message}", context)


def refuse_as(error: FormatError) -> PydanticCustomError:
    """An error of one of the small formats (name, version, duration, …), with its own code."""
    context = {"message": error.message, "code": error.code, "expected": "", "hint": error.hint}
    return PydanticCustomError("document", "{message}", context)
