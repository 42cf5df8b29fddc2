"""The base of every trust document: strict types, no unknown keys, frozen, one canonical byte form."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.values import JsonObject, JsonValue


class TrustModel(BaseModel):
    """A document that is signed, hashed or logged. Absent and null are different: unset members are left out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True)

    def to_json(self) -> dict[str, JsonValue]:
        """Give the JSON object, without the members that were never given."""
        dumped: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return dumped

    def to_bytes(self) -> bytes:
        """Give the canonical bytes."""
        return canonical.encode(self.to_json())

    @classmethod
    def from_json(cls, value: JsonObject, code: str, what: str) -> Self:
        """Check a JSON object; ``FormatError`` with ``code`` names the first member that is wrong."""
        try:
            return cls.model_validate(value, by_name=False, by_alias=True)
        except ValidationError as error:
            raise model_error(error, code, what) from None


def model_error(error: ValidationError, code: str, what: str) -> FormatError:
    """Turn pydantic's findings into one error of ours: place and reason of the first."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return FormatError(code, f"{what}: {place}: {first['msg']}", details={"place": place})
