"""What starts a melody (docs/melody.md): each trigger is a map with one key, its kind."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import (
    CelText,
    Duration,
    Identifier,
    SchemaDocument,
    SecretName,
    TemplateValue,
)


class TriggerBase(DocumentModel):
    """``inputs`` are computed from ``trigger.…``; a trigger whose ``when`` is false is dropped."""

    inputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    when: CelText | None = None


class Manual(TriggerBase):
    """A person, or a program, asks."""


class Git(TriggerBase):
    """Something happened in the git repository around the melody."""

    on: Annotated[Items[Literal["commit", "push", "tag"]], Field(min_length=1)]
    branches: Items[str] = ()
    paths: Items[str] = ()


class Files(TriggerBase):
    """Files changed; ``debounce`` waits until it is quiet."""

    paths: Annotated[Items[str], Field(min_length=1)]
    debounce: Duration = "500ms"


def _cron(text: str) -> str:
    if len(text.split()) != 5 or not re.fullmatch(r"[0-9A-Za-z*,/#L -]+", text):
        raise refuse(4, f"{text!r} is not a schedule", expected="five cron fields, such as 0 6 * * 1-5")
    return text


class Schedule(TriggerBase):
    """A clock: five cron fields in a time zone."""

    cron: Annotated[str, AfterValidator(_cron)]
    timezone: str = "UTC"
    overlap: Literal["skip", "queue", "cancel", "allow"] = "skip"
    catch_up: Literal["none", "last", "all"] = "none"


class Webhook(TriggerBase):
    """An HTTP call whose body fits ``schema`` and is signed with ``secret``."""

    schema_: SchemaDocument = Field(default=True, alias="schema")
    secret: SecretName | None = None
    reply: Literal["accepted", "outputs"] = "accepted"


def _melody_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}/[a-z0-9][a-z0-9-]{0,39}", text):
        raise refuse(4, f"{text!r} names no melody", expected="owner/name")
    return text


class AfterMelody(TriggerBase):
    """Another melody ended; its outputs are the payload."""

    name: Annotated[str, AfterValidator(_melody_name)]
    outcome: Literal["succeeded", "failed", "any"] = "succeeded"


class Trigger(DocumentModel):
    """One trigger: exactly one of its keys."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "maxProperties": 1, "patternProperties": {"^x-": True}}
    )

    manual: Manual | None = None
    git: Git | None = None
    files: Files | None = None
    schedule: Schedule | None = None
    webhook: Webhook | None = None
    melody: AfterMelody | None = None

    @model_validator(mode="after")
    def _is_one_trigger(self) -> Trigger:
        kinds = sorted(self.model_fields_set)
        if len(kinds) != 1:
            raise refuse(
                7,
                " and ".join(kinds) or "an empty map",
                expected="one of manual, git, files, schedule, webhook, melody",
                hint="write each trigger as an item of its own",
            )
        return self
