"""From a node that is ready to the precise assignment its runtime gets: grants intersected, limits resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from polyphony_runner.conductor.failures import attempt_timeout
from polyphony_runner.conductor.state import Frame, Node, RunState
from polyphony_runner.conductor.values import Stored, Value, loaded
from polyphony_runner.grants.paths import resolve
from polyphony_runner.packages import PackageSource
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import Assignment, Failure
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate_template
from polyphony_schemas.permissions.computed import not_a_text
from polyphony_schemas.permissions.effective import effective
from polyphony_schemas.permissions.items import NAMED_AT_NODE, PATH_KEYS, path_of
from polyphony_schemas.permissions.keys import PERMISSION_KEYS
from polyphony_schemas.values import JsonObject, JsonValue, NodePath, RunId

Grants = Mapping[str, tuple[JsonValue, ...]]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every node of one run shares. ``ceiling`` is evaluated; ``folder`` is the melody's own folder.

    ``places`` are the ceiling's paths with their links resolved before any node ran: a node that may write must not
    move the ceiling.
    """

    run: RunId
    work: Path
    folder: Path
    packages: PackageSource
    ceiling: Grants = field(default_factory=dict)
    allow_unsandboxed: bool = False
    places: Mapping[str, Path] = field(init=False)

    def __post_init__(self) -> None:
        places = Places(self.work)
        texts = (path_of(item) for key in PATH_KEYS for item in self.ceiling.get(key, ()))
        object.__setattr__(
            self, "places", {text: place for text in texts if (place := places.of(text)) is not None}
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Paths as they are granted and compared, each resolved once, as the runtime resolves them."""

    work: Path
    ceiling: Mapping[str, Path] = field(default_factory=dict)
    known: dict[str, Path | None] = field(default_factory=dict)

    def of(self, text: str) -> Path | None:
        """The absolute path without links; None for one that cannot be resolved, which lies nowhere."""
        if text not in self.known:
            try:
                self.known[text] = resolve(text, self.work)
            except NodeError:
                self.known[text] = None
        return self.known[text]

    def lies_in(self, path: str, grant: str) -> bool:
        """Whether ``path`` is ``grant`` or below it."""
        inner, outer = self.of(path), self.ceiling.get(grant) or self.of(grant)
        return inner is not None and outer is not None and inner.is_relative_to(outer)


def assign(state: RunState, node: Node, context: RunContext, now_ms: int) -> Assignment | Failure:
    """The assignment of the node's next attempt, or why there is none (kind ``permission`` or ``expression``)."""
    given = {name: loaded(values, state.reader) for name, values in node.directive.items()}
    inputs, parameters, task = (given.get(name, {}) for name in ("inputs", "parameters", "task"))
    try:
        grants, missing, places = _grants(node, given, context)
    except ExpressionError as error:
        return Failure("expression", f"permissions: {error.message}", retryable=False)
    if missing:
        return Failure("permission", missing, retryable=False)
    limits = node.spec.limits.over(node.frame.limits)
    timeout = attempt_timeout(state, node, now_ms)
    deadline = None if timeout is None else datetime.fromtimestamp((now_ms + timeout) / 1000, UTC)
    return Assignment(
        run=context.run,
        node=NodePath(node.path),
        attempt=node.attempt + 1,
        package=node.spec.package or "",
        inputs=inputs,
        parameters=parameters,
        task=handed_over(task),
        grants=grants,
        places=places,
        limits=replace(limits, timeout_ms=timeout),
        deadline=deadline,
        work=context.work,
        allow_unsandboxed=context.allow_unsandboxed,
    )


def handed_over(task: JsonObject) -> JsonObject:
    """What a node gets of its task. Where the inputs of a generated one come from is for the journal alone.

    A result of a pure node would depend on the names of other nodes otherwise.
    """
    if task.get("generated") is not True:
        return task
    return {name: value for name, value in task.items() if name != "inputs"}


def _grants(
    node: Node, given: Mapping[str, JsonObject], context: RunContext
) -> tuple[Grants, str, dict[str, Path]]:
    package = context.packages.find(node.spec.package or "", context.folder)
    named = given.get("permissions", {})
    if wrong := not_a_text(node.spec.permissions, named):
        return {}, f"permissions of node {node.spec.id!r}: {wrong}", {}
    declared: dict[str, tuple[JsonValue, ...] | Literal["granted"]] = {}
    environment: dict[str, JsonValue] = {
        name: dict(given.get(name, {})) for name in ("inputs", "parameters", "task")
    }
    for key, template in node.spec.declared.items():
        value = evaluate_template(template, environment)
        if wrong := not_a_text({key: template}, {key: value}):
            return {}, f"what node {node.spec.id!r} asks for: {wrong}", {}
        declared[key] = _items(value)
    if package is not None:
        for key, items in package.program.interface.permissions.items():
            if items == "granted":
                declared[key] = "granted"
    own = {key: _items(items) for key, items in named.items()}
    places = Places(context.work, context.places)
    ceiling, outer = _bounds(node.frame, context.ceiling)
    found = effective(declared, own, ceiling, outer=outer, lies_in=places.lies_in)
    missing = "; ".join(one.explain(node.spec.id) for one in found.missing)
    return found.grants, missing, {text: place for text, place in places.known.items() if place is not None}


def _bounds(frame: Frame, ceiling: Grants) -> tuple[Grants, tuple[Grants, ...]]:
    """The ceiling of the melody that a frame belongs to, and what cuts further: all that lies around that melody.

    A node that uses a melody passes on what it names; what it does not name it passes on as its own ceiling has it,
    except for what must stand at the node.
    """
    owner = frame.owner
    while owner is not None and owner.spec.kind != "melody":
        owner = owner.frame.owner
    if owner is None:
        return ceiling, ()
    above, outer = _bounds(owner.frame, ceiling)
    own, named = _grants_in(owner.scope.ceiling), _grants_in(owner.scope.permissions)
    passed: dict[str, tuple[JsonValue, ...]] = {
        key: named.get(key, ()) if key in named or key in NAMED_AT_NODE else above.get(key, ())
        for key in PERMISSION_KEYS
    }
    return own, (passed, above, *outer)


def _grants_in(values: Mapping[str, Value]) -> dict[str, tuple[JsonValue, ...]]:
    return {key: _items(value) for key, value in values.items() if not isinstance(value, Stored)}


def _items(value: JsonValue) -> tuple[JsonValue, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
