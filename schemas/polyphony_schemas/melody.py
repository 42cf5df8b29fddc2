"""``melody.yaml``, the score: inputs, nodes, connections, outputs, triggers, configuration (docs/melody.md).

This module is the shape of the document. What the parts mean together (names that exist, ports that fit,
joins that can be met) is checked by ``graph.checks``, and ``graph.compile`` turns it into a graph.

    >>> melody = Melody.model_validate({
    ...     "melody": "v1", "name": "greet", "version": "1.0.0",
    ...     "nodes": {"hello": {"uses": "core/set", "with": {"text": "${ 'hello ' + inputs.name }"}}},
    ...     "inputs": {"name": {"schema": {"type": "string"}, "default": "world"}},
    ...     "outputs": {"text": "${ hello.text }"},
    ... })
    >>> melody.nodes["hello"].uses
    'core/set'

A node is one of: a step (``uses``), a ``for_each``, a ``while`` or ``until`` loop, or a block (``nodes`` alone).
Strings that are wholly ``${ cel }`` are expressions; ``when`` and its like are bare CEL.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import (
    BY_SHAPE,
    INTEGER,
    MAP,
    TEXT,
    CelText,
    Identifier,
    NaturalInt,
    PackageName,
    PositiveInt,
    SchemaDocument,
    TemplateValue,
    UsesText,
    VersionText,
)
from polyphony_schemas.melody_config import Budget, Config, LimitMap
from polyphony_schemas.melody_connections import ConnectionValue
from polyphony_schemas.melody_failures import OnError
from polyphony_schemas.melody_triggers import Trigger
from polyphony_schemas.permissions.model import PermissionMap

MAX_NODES = 2_000


class InputPort(DocumentModel):
    """An input: its JSON Schema; with ``default`` or ``required: false`` it is optional."""

    schema_: SchemaDocument = Field(default=True, alias="schema")
    default: TemplateValue = None
    required: bool = True


class CountJoin(DocumentModel):
    """Start at ``n`` live connections; ``cancel`` ends what can no longer matter."""

    n: PositiveInt
    cancel: bool = False


class MutexScope(DocumentModel):
    """A lock by name, among the nodes of a run or among all runs of the package."""

    name: Identifier
    scope: Literal["run", "melody"] = "run"


class TaskOutputs(DocumentModel):
    """The form of a task's answer."""

    format: Literal["json", "text", "code", "diff", "file"] | None = None
    schema_: SchemaDocument | None = Field(default=None, alias="schema")
    language: str | None = None


class Task(DocumentModel):
    """The directive of an instrument: what to reach, from what, in which form, under which conditions."""

    objective: str | None = None
    inputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    parameters: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    outputs: TaskOutputs | None = None
    conditions: Items[CelText] = ()


JoinValue = Annotated[
    Annotated[Literal["all", "any", "first", "active"], TEXT] | Annotated[CountJoin, MAP], BY_SHAPE
]
MutexValue = Annotated[Annotated[Identifier, TEXT] | Annotated[MutexScope, MAP], BY_SHAPE]
# A bound that may be computed from the enclosing scope.
Bound = Annotated[Annotated[PositiveInt, INTEGER] | Annotated[str, TEXT], BY_SHAPE]


class NodeBase(DocumentModel):
    """What every node may say."""

    with_: dict[Identifier, TemplateValue] = Field(default_factory=dict, alias="with")
    when: CelText | None = None
    join: JoinValue = "all"
    on_error: OnError | None = None
    limits: LimitMap | None = None
    permissions: PermissionMap | None = None
    undo: Identifier | None = None
    mutex: MutexValue | None = None


class Step(NodeBase):
    """A node that runs an extension, a sub-melody or a core node."""

    uses: UsesText
    task: Task | None = None


class ScopeBase(NodeBase):
    """A closed scope: nodes and connections of its own; with ``inputs`` of its own, ``inputs`` inside means those.

    ``budget`` bounds everything inside together, all rounds and items of a loop.
    """

    inputs: dict[Identifier, InputPort] | None = None
    nodes: dict[Identifier, Node]
    connections: Items[ConnectionValue] = ()
    outputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    budget: Budget | None = None


class Block(ScopeBase):
    """A scope that runs once."""


class ForEachHeader(DocumentModel):
    """One round of the scope for each item of a list, ``parallel`` at a time, outputs in the items' order."""

    items: TemplateValue
    as_: Identifier = Field(default="item", alias="as")
    parallel: Bound = 1
    max: Bound = 10_000
    tolerate: NaturalInt = 0
    complete_when: CelText | None = None
    rest: Literal["cancel", "ignore"] = "cancel"
    open: bool = False


class ForEach(ScopeBase):
    """A scope that runs for each item."""

    for_each: ForEachHeader


class RepeatBase(ScopeBase):
    """What both loops share: a bound, and state that ``next`` carries from round to round."""

    max: Bound
    on_max: Literal["fail", "accept"] = "fail"
    state: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    next: dict[Identifier, TemplateValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _carries_the_state_on(self) -> RepeatBase:
        if set(self.state) != set(self.next):
            raise refuse(
                7,
                f"state has {sorted(self.state)}, next has {sorted(self.next)}",
                expected="the same keys in state and next",
                hint="next gives each key of state its value for the next round",
            )
        return self


class WhileLoop(RepeatBase):
    """A loop that is tested before each round."""

    while_: CelText = Field(alias="while")


class UntilLoop(RepeatBase):
    """A loop that is tested after each round."""

    until: CelText


_FORM_KEYS = ("uses", "for_each", "while", "until", "nodes")


def _node_form(value: object) -> str:
    """Which kind of node a map (or a model, when it is written out) is, by the key that only that kind has."""
    if isinstance(value, dict):
        key = next((key for key in _FORM_KEYS if key in value), "uses")
    else:
        key = next((key for key in _FORM_KEYS if hasattr(value, key) or hasattr(value, f"{key}_")), "uses")
    return f"<{key}>"


Node = Annotated[
    Annotated[Step, Tag("<uses>")]
    | Annotated[ForEach, Tag("<for_each>")]
    | Annotated[WhileLoop, Tag("<while>")]
    | Annotated[UntilLoop, Tag("<until>")]
    | Annotated[Block, Tag("<nodes>")],
    Discriminator(_node_form),
]


class Melody(DocumentModel):
    """A whole ``melody.yaml``."""

    melody: Literal["v1"]
    name: PackageName
    version: VersionText
    summary: Annotated[str, Field(max_length=300)] | None = None
    license: str | None = None
    keywords: Items[str] = ()
    inputs: dict[Identifier, InputPort] = Field(default_factory=dict)
    nodes: dict[Identifier, Node]
    connections: Items[ConnectionValue] = ()
    outputs: dict[Identifier, TemplateValue] = Field(default_factory=dict)
    triggers: Items[Trigger] = ()
    config: Config = Field(default_factory=Config)


ScopeBase.model_rebuild()
Melody.model_rebuild()
