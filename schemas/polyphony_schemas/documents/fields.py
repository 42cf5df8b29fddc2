"""The field types that the formats share: names, versions, durations, sizes, money, schemas, choices by shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic import JsonValue as PydanticJson

from polyphony_schemas.documents.base import refuse, refuse_as
from polyphony_schemas.errors import FormatError
from polyphony_schemas.names import ID_PATTERN, NAME_PATTERN, check_id, check_name, parse_uses
from polyphony_schemas.scalars import (
    DURATION_PATTERN,
    MONEY_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_money,
    parse_size,
)
from polyphony_schemas.semver import VERSION_PATTERN, Version

ENVIRONMENT_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """A text that ``parse`` accepts; it stays text, so that documents survive a round trip unchanged."""

    def check(text: str) -> str:
        try:
            parse(text)
        except FormatError as error:
            raise refuse_as(error) from None
        return text

    return AfterValidator(check)


def _secret(text: str) -> str:
    if not re.fullmatch(ENVIRONMENT_NAME_PATTERN, text):
        raise refuse(4, f"{text!r} is not the name of a secret", expected="letters, digits and _")
    return text


def check_full_name(text: str) -> str:
    """Let ``owner/name`` pass; raises FormatError for anything else."""
    owner, _, name = text.partition("/")
    check_name(owner, "owner")
    check_name(name, "package name")
    return text


Identifier = Annotated[str, checked(check_id), Field(json_schema_extra={"pattern": ID_PATTERN})]
PackageName = Annotated[str, checked(check_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
FullName = Annotated[str, checked(check_full_name)]
VersionText = Annotated[str, checked(Version.parse), Field(json_schema_extra={"pattern": VERSION_PATTERN})]
Duration = Annotated[str, checked(parse_duration), Field(json_schema_extra={"pattern": DURATION_PATTERN})]
Size = Annotated[str, checked(parse_size), Field(json_schema_extra={"pattern": SIZE_PATTERN})]
Money = Annotated[str, checked(parse_money), Field(json_schema_extra={"pattern": MONEY_PATTERN})]
UsesText = Annotated[str, checked(parse_uses)]
SecretName = Annotated[
    str, AfterValidator(_secret), Field(json_schema_extra={"pattern": ENVIRONMENT_NAME_PATTERN})
]
# Bare CEL text; ``graph.compile`` parses it.
CelText = Annotated[str, Field(min_length=1, description="A CEL expression, bare")]
# Any JSON value in which a string that is wholly ``${ cel }`` is an expression.
TemplateValue = PydanticJson
# A JSON Schema; checked by ``json_schema.check_schema``.
SchemaDocument = bool | dict[str, PydanticJson]
PositiveInt = Annotated[int, Field(ge=1)]
NaturalInt = Annotated[int, Field(ge=0)]


def shape(value: object) -> str:
    """The discriminator of unions that differ by JSON type; tags are bracketed so that no key equals one."""
    if isinstance(value, bool):
        return "<true or false>"
    if isinstance(value, int):
        return "<integer>"
    if isinstance(value, str):
        return "<text>"
    return "<list>" if isinstance(value, list | tuple) else "<map>"


BY_SHAPE = Discriminator(shape)
TEXT = Tag("<text>")
MAP = Tag("<map>")
LIST = Tag("<list>")
INTEGER = Tag("<integer>")
BOOLEAN = Tag("<true or false>")
