"""The configuration part of a melody, and the limits that nodes share with it (docs/melody.md)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import Duration, Identifier, Money, PositiveInt, SecretName, Size
from polyphony_schemas.permissions.model import PermissionMap

RunOutcome = Literal["started", "succeeded", "failed", "halted", "cancelled", "waiting"]


class LimitMap(DocumentModel):
    """Bounds of one node, or of every node of a melody."""

    timeout: Duration | None = Field(default=None, description="For one attempt")
    total: Duration | None = Field(default=None, description="Over all attempts")
    cpu: Duration | None = None
    memory: Size | None = None
    output: Size | None = None
    disk: Size | None = None
    processes: PositiveInt | None = None
    tokens: PositiveInt | None = None
    usd: Money | None = None


class Budget(DocumentModel):
    """What a loop or a run may spend in all."""

    wall: Duration | None = None
    usd: Money | None = None
    tokens: PositiveInt | None = None


class Concurrency(DocumentModel):
    """``run``: how many nodes run at once; ``group`` and ``overlap``: what runs of one group do to each other."""

    run: PositiveInt = 32
    group: str | None = None
    overlap: Literal["queue", "skip", "cancel"] = "queue"


class SlackTarget(DocumentModel):
    """A Slack webhook whose address is a secret."""

    secret: SecretName


class EmailTarget(DocumentModel):
    """Addresses to write to."""

    to: Annotated[Items[str], Field(min_length=1)]


class WebhookTarget(DocumentModel):
    """An HTTP address; ``secret`` signs the call."""

    url: str
    secret: SecretName | None = None


class Notify(DocumentModel):
    """Who hears of which outcome; ``name`` lets a halt or an approval name this entry."""

    name: Identifier | None = None
    on: Items[RunOutcome] = ()
    slack: SlackTarget | None = None
    email: EmailTarget | None = None
    webhook: WebhookTarget | None = None
    template: str | None = None

    @model_validator(mode="after")
    def _has_one_channel(self) -> Notify:
        channels = [name for name in ("slack", "email", "webhook") if getattr(self, name) is not None]
        if len(channels) != 1:
            raise refuse(
                7, " and ".join(channels) or "no channel", expected="exactly one of slack, email and webhook"
            )
        return self


class Retention(DocumentModel):
    """How long runs and their artifacts are kept, and how many runs at least."""

    runs: Duration | None = None
    artifacts: Duration | None = None
    keep: PositiveInt | None = None


def _extension_rule(text: str) -> str:
    if not re.fullmatch(r"(\*|[a-z0-9][a-z0-9-]{0,39})/(\*|[a-z0-9][a-z0-9-]{0,39})", text):
        raise refuse(4, f"{text!r} names no extensions", expected="OWNER/NAME, with * for a whole part")
    return text


class Config(DocumentModel):
    """Everything that is not the score itself. ``permissions`` is a ceiling and grants nothing."""

    permissions: PermissionMap = Field(default_factory=PermissionMap)
    extensions: Items[Annotated[str, AfterValidator(_extension_rule)]] | None = None
    budget: Budget = Field(default_factory=Budget)
    limits: LimitMap = Field(default_factory=LimitMap)
    concurrency: Concurrency = Field(default_factory=Concurrency)
    notify: Items[Notify] = ()
    retention: Retention = Field(default_factory=Retention)
