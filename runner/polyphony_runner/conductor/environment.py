"""What an expression sees: the names in sight of its frame, and evaluation with our kind of error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from polyphony_runner.conductor.state import Frame, Node, RunState
from polyphony_runner.conductor.values import Value, load, loaded
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate, evaluate_template
from polyphony_schemas.graph.model import Expression, Template
from polyphony_schemas.values import JsonValue

Environment = Mapping[str, JsonValue]


def frame_environment(
    state: RunState, frame: Frame, expressions: Iterable[Expression], extra: Environment | None = None
) -> dict[str, JsonValue]:
    """``inputs``, the frame's variables, and of the frame's nodes exactly the ports that are referred to."""
    environment: dict[str, JsonValue] = {"inputs": loaded(frame.inputs, state.reader)}
    environment.update(loaded(frame.variables, state.reader))
    for expression in expressions:
        for name, port in expression.references:
            node = frame.nodes.get(name)
            if node is None:
                continue
            ports = environment.setdefault(name, {})
            if port in node.outputs and isinstance(ports, dict):
                ports[port] = load(node.outputs[port], state.reader)
    if extra:
        environment.update(extra)
    return environment


def truth(state: RunState, frame: Frame, expression: Expression, extra: Environment | None = None) -> bool:
    """The boolean an expression gives; ``ExpressionError`` when it gives something else."""
    return holds(expression, frame_environment(state, frame, (expression,), extra))


def holds(expression: Expression, environment: Environment) -> bool:
    """The boolean an expression gives over exactly these names; ``ExpressionError`` when it gives something else."""
    value = evaluate(expression, environment)
    if not isinstance(value, bool):
        raise ExpressionError(
            "PLY2001", f"{expression.source!r} gave {type(value).__name__}, expected true or false"
        )
    return value


def fill(state: RunState, frame: Frame, template: Template, extra: Environment | None = None) -> JsonValue:
    """The value of a template in a frame."""
    if not template.expressions:
        return template.value
    expressions = tuple(template.expressions.values())
    return evaluate_template(template, frame_environment(state, frame, expressions, extra))


def fill_all(
    state: RunState, frame: Frame, templates: Mapping[str, Template], extra: Environment | None = None
) -> dict[str, JsonValue]:
    """The values of several templates by name."""
    return {name: fill(state, frame, template, extra) for name, template in templates.items()}


def fill_outputs(
    state: RunState, frame: Frame, templates: Mapping[str, Template], extra: Environment | None = None
) -> dict[str, JsonValue]:
    """Outputs of a scope or melody: one that reads a port that brought no value is null."""
    outputs: dict[str, JsonValue] = {}
    for name, template in templates.items():
        try:
            outputs[name] = fill(state, frame, template, extra)
        except ExpressionError:
            if not _reads_nothing(frame, template):
                raise
            outputs[name] = None
    return outputs


def _reads_nothing(frame: Frame, template: Template) -> bool:
    """Whether a template refers to a port that brought no value."""
    return any(
        (node := frame.nodes.get(name)) is None or port not in node.outputs
        for expression in template.expressions.values()
        for name, port in expression.references
    )


def without_nodes(
    state: RunState, templates: Mapping[str, Template], environment: Environment
) -> dict[str, JsonValue]:
    """Outputs of a loop without rounds: what names only ``inputs`` and ``state`` is evaluated, the rest is null."""
    del state
    return {
        name: None
        if any(expression.references for expression in template.expressions.values())
        else evaluate_template(template, environment)
        for name, template in templates.items()
    }


def port_value(node: Node, port: str) -> tuple[bool, Value]:
    """Whether a port brought a value, and the value."""
    return port in node.outputs, node.outputs.get(port)
