"""``tests/*.yaml``: cases that travel with a package (docs/melody.md).

>>> case = TestCase.model_validate({"name": "greets", "expect": {"status": "succeeded"}})
>>> case.expect.status
'succeeded'
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from polyphony_schemas.documents.base import DocumentModel, Items
from polyphony_schemas.documents.fields import Identifier, TemplateValue

NodeStatus = Literal["waiting", "running", "succeeded", "failed", "skipped", "dead", "cancelled"]
RunStatus = Literal["waiting", "halted", "succeeded", "failed", "cancelled"]


class Pin(DocumentModel):
    """Outputs that a node is taken to have given; it does not run."""

    outputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)


class Expectation(DocumentModel):
    """What must hold at the end; ``never`` names nodes that must not start."""

    status: RunStatus = "succeeded"
    outputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    nodes: dict[str, NodeStatus] = Field(default_factory=dict)
    never: Items[str] = ()


class TestCase(DocumentModel):
    """One case: inputs, nodes that are pinned, a work folder of the package, and what is expected."""

    __test__: ClassVar[bool] = False  # not a test of pytest's

    name: Annotated[str, Field(min_length=1)]
    inputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    pins: dict[str, Pin] = Field(default_factory=dict)
    work: str | None = None
    expect: Expectation
