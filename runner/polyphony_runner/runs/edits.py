"""Values that a person sets anew in a run: inputs (``inputs.NAME=VALUE``) and outputs of nodes (``NODE.PORT=VALUE``).

>>> read_edits(["fix[2]/lint.count=0", "inputs.name=Ada"])
Edits(inputs={'name': 'Ada'}, nodes={'fix[2]/lint': {'count': 0}})

The new value stands in the journal where the old one stood, with ``edited`` naming the ports. A node that did not
succeed is taken to have succeeded with it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from polyphony_runner.conductor.directives import DirectiveError, check_inputs
from polyphony_runner.conductor.values import loaded, values_in
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunRecord
from polyphony_runner.runs.fork import Instance, Past
from polyphony_schemas.errors import UsageError
from polyphony_schemas.graph.model import Expression, GraphNode
from polyphony_schemas.graph.port_values import accept
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue

_SET = re.compile(r"(?P<place>.+)\.(?P<port>[a-z][a-z0-9_]*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Edits:
    """New values by input, and by node and port."""

    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.inputs or self.nodes)


def read_edits(texts: Sequence[str]) -> Edits:
    """What ``--set`` says; a value is read as JSON, and as text when it is none. UsageError PLY2753."""
    inputs: dict[str, JsonValue] = {}
    nodes: dict[str, dict[str, JsonValue]] = {}
    for text in texts:
        found = _SET.fullmatch(text)
        if found is None:
            raise UsageError(
                "PLY2753", f"{text!r} is no NODE.PORT=VALUE", hint="--set lint.count=0, --set inputs.name=Ada"
            )
        target = inputs if found["place"] == "inputs" else nodes.setdefault(found["place"], {})
        target[found["port"]] = _value(found["value"])
    return Edits(inputs, nodes)


def _value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def check_edits(edits: Edits, past: Past) -> Edits:
    """The edits with values as declared; RunError PLY2751 for an unknown node or port, PLY2753 for a wrong value."""
    nodes = {path: _checked(path, ports, past) for path, ports in edits.nodes.items()}
    melody = past.state.melody
    if not edits.inputs:
        return Edits({}, nodes)
    try:
        whole = check_inputs(melody.inputs, {**_inputs(past), **edits.inputs})
    except DirectiveError as error:
        raise RunError("PLY2753", error.message, hint="see the melody's inputs") from error
    return Edits({name: whole[name] for name in edits.inputs}, nodes)


def _checked(path: str, ports: Mapping[str, JsonValue], past: Past) -> dict[str, JsonValue]:
    instance = past.find(path)
    if instance is None:
        raise RunError(
            "PLY2751",
            f"the run has no node {path!r} so far",
            hint=did_you_mean(path, past.state.nodes) or "polyphony show RUN lists its nodes",
        )
    spec = instance.plan.graph.nodes[instance.name]
    return {port: _checked_port(path, spec, port, value) for port, value in ports.items()}


def _checked_port(path: str, spec: GraphNode, port: str, value: JsonValue) -> JsonValue:
    known = spec.scope_outputs if spec.body is not None else spec.outputs
    if spec.kind != "core" and port not in known:
        raise RunError(
            "PLY2751",
            f"{path!r} has no output {port!r}",
            hint=f"its outputs: {', '.join(known) or 'none'}",
        )
    if port not in spec.outputs:
        return value
    accepted, wrong = accept(port, value, spec.outputs[port].schema)
    if wrong:
        raise RunError("PLY2753", f"{path}: {wrong}", hint="give a value of the port's schema")
    return accepted


def apply_edits(events: Sequence[Event], edits: Edits) -> list[Event]:
    """The events with the new values in their places."""
    if not edits:
        return list(events)
    succeeded = {event.node for event in events if event.type == "node.succeeded"}
    made: list[Event] = []
    for event in events:
        ports = edits.nodes.get(event.node or "")
        if event.type == "run.created" and edits.inputs:
            made.append(replace(event, data=_with(event.data, "inputs", edits.inputs)))
        elif ports is not None and event.type == "node.succeeded":
            data = {**_with(event.data, "outputs", ports), "edited": sorted(ports)}
            made.append(replace(event, data=data))
        else:
            made.append(event)
    return made + [
        edited(path, ports, made[-1].at_ms) for path, ports in edits.nodes.items() if path not in succeeded
    ]


def edited(path: str, ports: Mapping[str, JsonValue], at_ms: int, seq: int = 0) -> Event:
    """The success of a node that a person gives its outputs."""
    return Event(seq, at_ms, "node.succeeded", path, None, {"outputs": dict(ports), "edited": sorted(ports)})


def _with(data: JsonObject, container: str, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Event data with other values in a container, wherever the old ones lay."""
    old, stored = data.get(container), data.get("stored")
    made: dict[str, JsonValue] = {**data, container: {**(old if isinstance(old, Mapping) else {}), **values}}
    if isinstance(stored, Mapping):
        gone = {f"/{container}/{name}" for name in values}
        made["stored"] = {pointer: mark for pointer, mark in stored.items() if pointer not in gone}
    return made


def touched_by_inputs(past: Past, edits: Edits) -> set[str]:
    """Nodes whose expressions, or whose connections', name an input that is set anew."""
    if not edits.inputs:
        return set()
    names = "|".join(edits.inputs)
    pattern = re.compile(rf"\binputs\b(?!\s*\.\s*[a-z])|\binputs\s*\.\s*(?:{names})\b")
    found: set[str] = set()
    for path, instance in past.nodes.items():
        if not _sees_run_inputs(instance, past):
            continue
        spec = instance.plan.graph.nodes[instance.name]
        if any(pattern.search(one.source) for one in expressions_of(spec)):
            found.add(path)
        found |= {
            instance.beside(edge.target)
            for edge in instance.outgoing()
            if edge.when is not None and pattern.search(edge.when.source)
        }
    return found


def _sees_run_inputs(instance: Instance, past: Past) -> bool:
    owner = instance.owner
    while owner is not None:
        above = past.nodes[owner]
        spec = above.plan.graph.nodes[above.name]
        if spec.scope_inputs or spec.kind == "melody":
            return False
        owner = above.owner
    return True


def expressions_of(value: object) -> Iterator[Expression]:
    """Every expression of a node, those of the nodes inside left out."""
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from expressions_of(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from expressions_of(one)
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            if part.name != "body":
                yield from expressions_of(getattr(value, part.name))


def ceiling_of(edits: Edits, past: Past, record: RunRecord) -> Mapping[str, JsonValue]:
    """The ceiling under the new inputs; PLY2754 when it reaches further than anybody agreed to."""
    if not edits.inputs:
        return record.ceiling
    from polyphony_runner.runs.assemble import evaluate_ceiling
    from polyphony_runner.runs.consent import only_own_folder

    ceiling = evaluate_ceiling(past.state.melody, {**_inputs(past), **edits.inputs})
    folder, work = Path(record.folder), Path(record.work)
    agreed = record.tree is not None or not only_own_folder(record.ceiling, folder, work)
    if not agreed and not only_own_folder(ceiling, folder, work):
        raise RunError(
            "PLY2754",
            "with these inputs the melody asks for more than reading its own folder, and nobody agreed to that",
            hint="start a new run with them: polyphony run asks",
        )
    return ceiling


def _inputs(past: Past) -> dict[str, JsonValue]:
    return loaded(values_in(past.events[0].data, "inputs"), past.state.reader)
