"""The compiled graph of a melody: names resolved, references turned into edges, defaults filled in.

Immutable, and serialisable by ``graph.codec`` so that a store can keep it beside the melody. It holds no
paths of a machine. ``graph.compile`` makes it; the Conductor, validation and the pictures read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from polyphony_schemas.values import JsonObject, JsonValue

NodeKind = Literal["extension", "core", "melody", "block", "for_each", "while", "until"]
JoinKind = Literal["all", "any", "first", "n", "active"]
FinalKind = Literal["fail", "skip", "compensate", "halt"]


@dataclass(frozen=True, slots=True)
class Expression:
    """One CEL text, with what it refers to: ``references`` are ``(node, port)`` pairs in order of appearance."""

    source: str
    references: tuple[tuple[str, str], ...] = ()
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value in which every string that is wholly ``${ cel }`` is an expression.

    ``expressions`` maps the place inside ``value`` (object keys and list indexes) to its expression;
    the strings at those places are ignored.
    """

    value: JsonValue
    expressions: Mapping[tuple[str | int, ...], Expression] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. ``schema`` is a JSON Schema whose ``$ref`` are already resolved or ``urn:polyphony:*``."""

    schema: JsonObject
    required: bool = True
    default: JsonValue = None
    has_default: bool = False
    from_task: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """When a node may start. ``count`` only for ``n``; ``cancel`` cancels what can no longer matter (``first``)."""

    kind: JoinKind = "all"
    count: int = 0
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries after a failure; durations in milliseconds."""

    max: int = 3
    delay_ms: int = 1000
    backoff: Literal["constant", "exponential"] = "exponential"
    factor: float = 2.0
    max_delay_ms: int = 60_000
    jitter: float = 0.2
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class OnError:
    """What happens at a failure: retries, then fallbacks, then exactly one final act."""

    retry: Retry | None = None
    fallback: tuple[str, ...] = ()
    final: FinalKind = "fail"
    skip_outputs: Template | None = None
    compensate: str | None = None
    halt: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one node; durations in milliseconds, sizes in bytes, ``usd`` a decimal string; None = default."""

    timeout_ms: int | None = None
    total_ms: int | None = None
    cpu_ms: int | None = None
    memory: int | None = None
    output: int | None = None
    disk: int | None = None
    processes: int | None = None
    tokens: int | None = None
    usd: str | None = None

    def over(self, outer: Limits) -> Limits:
        """These limits; what they do not name is taken from ``outer``."""
        if outer == Limits():
            return self
        names = [one.name for one in fields(Limits)]
        return Limits(
            **{
                name: mine if (mine := getattr(self, name)) is not None else getattr(outer, name)
                for name in names
            }
        )


@dataclass(frozen=True, slots=True)
class Loop:
    """Header of a scope; a block or sub-melody has a budget alone.

    ``max_from`` and ``parallel_from`` compute a bound from the enclosing scope (feature ``computed bounds``);
    ``max`` and ``parallel`` then hold the defaults.
    """

    items: Template | None = None
    item_name: str = "item"
    parallel: int = 1
    max: int = 10_000
    tolerate: int = 0
    complete_when: Expression | None = None
    rest: Literal["cancel", "ignore"] = "cancel"
    open: bool = False
    condition: Expression | None = None
    on_max: Literal["fail", "accept"] = "fail"
    budget_wall_ms: int | None = None
    budget_usd: str | None = None
    budget_tokens: int | None = None
    max_from: Template | None = None
    parallel_from: Template | None = None
    state: Mapping[str, Template] = field(default_factory=dict)
    next: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection. Without ports it is order only; ``reference`` marks the ones that expressions imply."""

    source: str
    target: str
    source_port: str | None = None
    target_port: str | None = None
    when: Expression | None = None
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Mutex:
    """A lock among nodes of one run, or of all runs of the package."""

    name: str
    scope: Literal["run", "melody"] = "run"


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node, or one scope with a ``body``.

    ``package`` is the key under which the runner finds the extension or sub-melody: the dependency string
    as written in ``uses``, or what ``graph.linking`` put in its place. ``values`` is ``with`` (inputs and parameters alike). ``permissions`` holds the
    node's grants as templates by key (lists), absent keys were not named; ``declared`` likewise what the extension
    declares (``inputs parameters task`` are the node's own), ``granted`` the keys for which it takes whatever the
    node names. ``outputs`` are the declared output ports,
    ``scope_outputs`` the expressions of a scope.
    """

    id: str
    kind: NodeKind
    uses: str | None = None
    package: str | None = None
    values: Mapping[str, Template] = field(default_factory=dict)
    inputs: Mapping[str, Port] = field(default_factory=dict)
    any_inputs: Port | None = None
    parameters: JsonObject = field(default_factory=dict)
    outputs: Mapping[str, Port] = field(default_factory=dict)
    task: Mapping[str, Template] = field(default_factory=dict)
    conditions: tuple[Expression, ...] = ()
    when: Expression | None = None
    join: Join = Join()
    on_error: OnError = OnError()
    limits: Limits = Limits()
    permissions: Mapping[str, Template] = field(default_factory=dict)
    declared: Mapping[str, Template] = field(default_factory=dict)
    granted: frozenset[str] = frozenset()
    effects: Literal["none", "undoable", "irreversible"] = "none"
    pure: bool = False
    undo: str | None = None
    mutex: Mutex | None = None
    handler: bool = False
    loop: Loop | None = None
    body: Graph | None = None
    scope_inputs: bool = False
    scope_outputs: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes of one scope and the connections between them; nothing depends on their order."""

    nodes: Mapping[str, GraphNode]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class CompiledMelody:
    """A melody ready to run. ``features`` names what it needs beyond the basics (``core/approve``, ``undo``, …).

    ``melodies`` are those that nodes use, theirs too, by key.
    ``contacts`` are the names of its ``notify`` entries. ``retention_*``: how long a finished run, and the files it made,
    are kept, and how many of its runs at least.
    """

    name: str
    version: str
    graph: Graph
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Template]
    ceiling: Mapping[str, Template] = field(default_factory=dict)
    extensions: tuple[str, ...] | None = None
    limits: Limits = Limits()
    concurrency: int = 32
    group: Template | None = None
    overlap: Literal["queue", "skip", "cancel"] = "queue"
    budget_wall_ms: int | None = None
    budget_usd: str | None = None
    budget_tokens: int | None = None
    features: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    melodies: Mapping[str, CompiledMelody] = field(default_factory=dict)
    retention_runs_ms: int | None = None
    retention_artifacts_ms: int | None = None
    retention_keep: int | None = None
