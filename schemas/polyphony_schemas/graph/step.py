"""One step (``uses``) read into a graph node: its values, its ports, its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from polyphony_schemas.expressions.templates import refuse_markers
from polyphony_schemas.graph.core_nodes import CORE, core_outputs
from polyphony_schemas.graph.findings import UNKNOWN_PACKAGE, Findings, join_pointer
from polyphony_schemas.graph.model import Expression, GraphNode, Port, Template
from polyphony_schemas.graph.parts import read_join, read_limits, read_mutex
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.graph.sight import Sight, read_expression, read_template, read_templates
from polyphony_schemas.melody import Step, Task
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class Context:
    """What stays the same for all nodes of one melody."""

    packages: Mapping[str, PackageInterface]
    schemas: Schemas
    findings: Findings


def core_name(step: Step) -> str | None:
    """The name of the core node that a step uses, if it is one."""
    return step.uses.removeprefix("core/") if step.uses.startswith("core/") else None


def interface_of(step: Step, packages: Mapping[str, PackageInterface]) -> PackageInterface | None:
    """The outside of what a step uses; None when nobody knows it."""
    core = core_name(step)
    return CORE[core] if core is not None else packages.get(step.uses)


def read_step(name: str, step: Step, sight: Sight, pointer: str, context: Context) -> GraphNode:
    """The node of a step, without what depends on its connections. Unknown packages are an ``info`` finding."""
    findings = context.findings
    interface = interface_of(step, context.packages)
    if interface is None:
        findings.info(
            UNKNOWN_PACKAGE,
            join_pointer(pointer, "uses"),
            f"the package {step.uses!r} is not here, so the ports of node {name!r} are not checked",
            f"polyphony install {step.uses.partition('@')[0]}" if "@" in step.uses else "check the path",
        )
        interface = PackageInterface("extension", name, "0.0.0", any_inputs=Port({}, required=False))
    values = _values(step, interface, sight, pointer, findings)
    task, conditions = _task(step.task, sight, join_pointer(pointer, "task"), context)
    core = core_name(step)
    when = None
    if step.when is not None:
        when = read_expression(step.when, sight, join_pointer(pointer, "when"), findings)
    return GraphNode(
        id=name,
        kind="core" if core else "melody" if interface.kind == "melody" else "extension",
        uses=step.uses,
        package=None if core else step.uses,
        values=values,
        inputs=interface.inputs,
        any_inputs=interface.any_inputs,
        parameters=interface.parameters,
        outputs=_outputs(step, interface, context.schemas),
        task=task,
        conditions=conditions,
        when=when,
        join=read_join(step),
        limits=read_limits(step.limits),
        effects=interface.effects,
        pure=interface.pure,
        undo=step.undo,
        mutex=read_mutex(step),
        granted=frozenset(key for key, items in interface.permissions.items() if items == "granted"),
    )


def _values(
    step: Step, interface: PackageInterface, sight: Sight, pointer: str, findings: Findings
) -> dict[str, Template]:
    """``with``, and what ``task.inputs`` and ``task.parameters`` say in its place."""
    sources: dict[str, tuple[JsonValue, str]] = {
        name: (value, join_pointer(pointer, "with", name)) for name, value in step.with_.items()
    }
    if step.task is not None:
        for part, named in (("inputs", step.task.inputs), ("parameters", step.task.parameters)):
            for name, value in named.items():
                place = join_pointer(pointer, "task", part, name)
                if name in sources:
                    findings.error(
                        "PLY1604",
                        place,
                        f"{name!r} is given twice, here and at {sources[name][1]}",
                        "keep one of the two",
                    )
                else:
                    sources[name] = (value, place)
    values: dict[str, Template] = {}
    for name, (written, place) in sources.items():
        schema = _schema_of(interface, name)
        for problem in refuse_markers(written, name=name, schema=schema, pointer=place):
            findings.refused(problem.pointer, problem.error)
        if core_name(step) == "switch" and name == "cases" and isinstance(written, dict):
            values[name] = _cases(written, sight, place, findings)
        else:
            values[name] = read_template(written, sight, place, findings)
    return values


def _schema_of(interface: PackageInterface, name: str) -> Mapping[str, JsonValue] | bool:
    port = interface.inputs.get(name)
    if port is not None:
        return port.schema
    properties = interface.parameters.get("properties")
    found = properties.get(name) if isinstance(properties, Mapping) else None
    return found if isinstance(found, Mapping) else True


def _cases(cases: Mapping[str, JsonValue], sight: Sight, pointer: str, findings: Findings) -> Template:
    """The cases of ``core/switch`` are bare CEL over ``value`` alone."""
    expressions: dict[tuple[str | int, ...], Expression] = {}
    for name, text in cases.items():
        if isinstance(text, str):
            read = read_expression(text, sight.only().plus("value"), join_pointer(pointer, name), findings)
            if read is not None:
                expressions[name,] = read
    return Template(cases, expressions)


def _task(
    task: Task | None, sight: Sight, pointer: str, context: Context
) -> tuple[dict[str, Template], tuple[Expression, ...]]:
    if task is None:
        return {}, ()
    findings, schemas = context.findings, context.schemas
    parts: dict[str, JsonValue] = {}
    if task.objective is not None:
        parts["objective"] = task.objective
    if task.inputs:
        parts["inputs"] = task.inputs
    if task.parameters:
        parts["parameters"] = task.parameters
    if task.outputs is not None:
        outputs = task.outputs
        schema = {} if outputs.schema_ is None else {"schema": schemas.bundled(outputs.schema_)}
        parts["outputs"] = {**outputs.model_dump(exclude_none=True, exclude={"schema_"}), **schema}
    for name, value in parts.items():
        if name not in ("inputs", "parameters"):
            for problem in refuse_markers(value, name=name, pointer=join_pointer(pointer, name)):
                findings.refused(problem.pointer, problem.error)
    # The schema of the outputs is data: nothing in it is an expression.
    answer = {name: Template(parts.pop(name)) for name in ("outputs",) if name in parts}
    conditions = tuple(
        read
        for number, text in enumerate(task.conditions)
        if (read := read_expression(text, sight, join_pointer(pointer, "conditions", number), findings))
    )
    # ``inputs`` and ``parameters`` were read, and reported, as values of the node already.
    quiet = Findings()
    templates = {
        name: read_template(
            value, sight, join_pointer(pointer, name), quiet if name != "objective" else findings
        )
        for name, value in parts.items()
    }
    return templates | answer, conditions


def _outputs(step: Step, interface: PackageInterface, schemas: Schemas) -> dict[str, Port]:
    core = core_name(step)
    if core is not None:
        return dict(core_outputs(core, step.with_))
    task_schema = (
        step.task.outputs.schema_ if step.task is not None and step.task.outputs is not None else None
    )
    if task_schema is None:
        return dict(interface.outputs)
    return {
        name: replace(port, schema=schemas.bundled(task_schema)) if port.from_task else port
        for name, port in interface.outputs.items()
    }


def read_permissions(
    permissions: Mapping[str, tuple[JsonValue, ...]], sight: Sight, pointer: str, findings: Findings
) -> dict[str, Template]:
    """A permission map, each key a template of its list."""
    lists: dict[str, JsonValue] = {key: list(items) for key, items in permissions.items()}
    return read_templates(lists, sight, pointer, findings)
