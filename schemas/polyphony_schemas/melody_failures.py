"""``on_error`` of a node: retries, then fallbacks, then at most one of skip, compensate and halt."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import (
    BOOLEAN,
    BY_SHAPE,
    MAP,
    CelText,
    Duration,
    Identifier,
    NaturalInt,
    TemplateValue,
)


class Retry(DocumentModel):
    """How often and when a failed node starts again."""

    max: NaturalInt = 3
    delay: Duration = "1s"
    backoff: Literal["constant", "exponential"] = "exponential"
    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    max_delay: Duration = "60s"
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    when: CelText | None = None


class SkipOutputs(DocumentModel):
    """What a skipped node gives in place of its outputs."""

    outputs: dict[Identifier, TemplateValue]


class Halt(DocumentModel):
    """Pause the run and tell people: ``notify`` names them, the next one ``after`` that time."""

    notify: Items[str] = ()
    after: Duration | None = None


class OnError(DocumentModel):
    """What happens at a failure: retries, then fallbacks, then at most one of skip, compensate and halt."""

    retry: Retry | None = None
    fallback: Items[Identifier] = ()
    skip: Annotated[Annotated[Literal[True], BOOLEAN] | Annotated[SkipOutputs, MAP], BY_SHAPE] | None = None
    compensate: Identifier | None = None
    halt: Halt | None = None

    @model_validator(mode="after")
    def _has_one_final_act(self) -> OnError:
        acts = [name for name in ("skip", "compensate", "halt") if getattr(self, name) is not None]
        if len(acts) > 1:
            raise refuse(
                7, f"{' and '.join(acts)} together", expected="at most one of skip, compensate and halt"
            )
        return self
