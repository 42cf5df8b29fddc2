"""Ports: every value has a place to go, every port one source, required ones have one, and the types can meet."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.graph.checks.checked import Checked
from polyphony_schemas.graph.findings import (
    INCOMPATIBLE_WIRE,
    MISSING_INPUT,
    TWO_SOURCES,
    UNKNOWN_PORT,
    Findings,
    join_pointer,
)
from polyphony_schemas.graph.model import Edge, GraphNode, Template
from polyphony_schemas.graph.output_types import port_schema
from polyphony_schemas.graph.schemas import Schemas, check_literal
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.json_schema import incompatible
from polyphony_schemas.melody import InputPort, ScopeBase, Step
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue


def check_melody_ports(checked: Checked, findings: Findings) -> None:
    """The melody's own inputs and outputs."""
    check_input_ports(checked.melody.inputs, "/inputs", checked.schemas, findings)
    check_outputs(checked.compiled.outputs, checked.root, findings)


def check_outputs(outputs: Mapping[str, Template], scope: Scope, findings: Findings) -> None:
    """Outputs of a scope name ports that exist."""
    for template in outputs.values():
        for expression in template.expressions.values():
            for name, port in expression.references:
                node = scope.graph.nodes.get(name)
                if node is not None and name not in scope.unknown and port not in node.outputs:
                    findings.error(
                        UNKNOWN_PORT,
                        expression.pointer,
                        f"got {name}.{port}, which is no output of {name!r}",
                        did_you_mean(port, node.outputs) or "only declared outputs exist",
                    )


def check_input_ports(
    ports: Mapping[str, InputPort], pointer: str, schemas: Schemas, findings: Findings
) -> None:
    """Schemas that can be used, and defaults that fit them."""
    for name, port in ports.items():
        place = join_pointer(pointer, name)
        usable = schemas.check(port.schema_, join_pointer(place, "schema"), findings)
        if usable and "default" in port.model_fields_set:
            schema = schemas.bundled(port.schema_)
            check_literal(port.default, schema, join_pointer(place, "default"), findings)


def check_ports(scope: Scope, schemas: Schemas, findings: Findings) -> None:
    """All nodes of one scope."""
    incoming = scope.incoming()
    for name, node in scope.graph.nodes.items():
        model = scope.model.nodes[name]
        if isinstance(model, ScopeBase):
            check_input_ports(model.inputs or {}, scope.node_pointer(name, "inputs"), schemas, findings)
            check_outputs(node.scope_outputs, scope.children[name], findings)
        elif (
            model.task is not None
            and model.task.outputs is not None
            and model.task.outputs.schema_ is not None
        ):
            place = scope.node_pointer(name, "task", "outputs", "schema")
            schemas.check(model.task.outputs.schema_, place, findings)
        if name in scope.unknown:
            continue
        fed = [(number, edge) for number, edge in incoming[name] if edge.target_port is not None]
        _check_values(scope, node, findings)
        _check_sources(scope, node, fed, findings)
        _check_required(scope, node, {edge.target_port for _, edge in fed}, findings)
        for number, edge in fed:
            _check_wire(scope, edge, scope.places[number], findings)


def value_pointer(scope: Scope, node: GraphNode, name: str) -> str:
    """Where the value of an input or parameter stands: ``with``, or the part of ``task`` that means the same."""
    model = scope.model.nodes[node.id]
    if isinstance(model, Step) and model.task is not None and name not in model.with_:
        part = "inputs" if name in model.task.inputs else "parameters"
        return scope.node_pointer(node.id, "task", part, name)
    return scope.node_pointer(node.id, "with", name)


def _parameters(node: GraphNode) -> Mapping[str, JsonValue]:
    properties = node.parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _accepts_any_parameter(node: GraphNode) -> bool:
    return bool(node.parameters) and node.parameters.get("additionalProperties", False) is not False


def _check_values(scope: Scope, node: GraphNode, findings: Findings) -> None:
    for name, template in node.values.items():
        pointer = value_pointer(scope, node, name)
        schema = _schema_of(node, name)
        if schema is None:
            known = [*node.inputs, *_parameters(node)]
            findings.error(
                UNKNOWN_PORT,
                pointer,
                f"got {name!r}, expected one of the inputs and parameters of {node.uses or node.id!r}:"
                f" {', '.join(sorted(known)[:16]) or 'none'}",
                did_you_mean(name, known) or "remove it, or declare it in the package",
            )
        else:
            _check_template(scope, template, schema, pointer, findings)


def _schema_of(node: GraphNode, name: str) -> JsonObject | None:
    """What a value of ``with`` has to fit; None when nothing has that name."""
    port = node.inputs.get(name)
    if port is not None:
        return port.schema
    rules = _parameters(node).get(name)
    if isinstance(rules, Mapping):
        # A reference inside still means the whole schema's definitions.
        definitions = node.parameters.get("$defs")
        return {**rules, "$defs": definitions} if definitions else rules
    if rules is not None:
        return {} if rules else {"not": {}}
    if node.any_inputs is not None:
        return node.any_inputs.schema
    return {} if _accepts_any_parameter(node) else None


def _check_template(
    scope: Scope, template: Template, schema: JsonObject, pointer: str, findings: Findings
) -> None:
    if not template.expressions:
        check_literal(template.value, schema, pointer, findings)
        return
    expression = template.expressions.get(())
    if expression is None:
        return
    source = port_schema(expression, scope.graph) or _input_schema(scope, expression.source)
    reason = incompatible(source, schema) if source else None
    if reason:
        findings.error(INCOMPATIBLE_WIRE, pointer, f"no value of {expression.source} can pass here: {reason}")


def _input_schema(scope: Scope, source: str) -> JsonObject:
    """The schema of an expression that is exactly ``inputs.NAME`` of the scope's own document."""
    head, _, name = source.replace(" ", "").partition(".")
    ports = scope.model.inputs
    if head != "inputs" or ports is None or name not in ports:
        return {}
    schema = ports[name].schema_
    return schema if isinstance(schema, dict) else {}


def _check_sources(scope: Scope, node: GraphNode, fed: list[tuple[int, Edge]], findings: Findings) -> None:
    first: dict[str | None, str] = {
        name: value_pointer(scope, node, name)
        for name in node.values
        if name in node.inputs or node.any_inputs
    }
    for number, edge in fed:
        port, place = edge.target_port, scope.places[number]
        if port in node.values:
            findings.error(
                TWO_SOURCES,
                place,
                f"{node.id}.{port} has a value in with already, expected one source",
                "remove the connection or the entry",
            )
        elif port in first and node.join.kind == "all":
            findings.error(
                TWO_SOURCES,
                place,
                f"{node.id}.{port} is fed by {first[port]} already, expected one source under join: all",
                "use join: any, first or active, or collect the values with core/merge",
            )
        first.setdefault(port, place)


def _check_required(scope: Scope, node: GraphNode, fed: set[str | None], findings: Findings) -> None:
    if any(use.handler == node.id and use.kind == "fallback" for use in scope.handlers):
        return
    for name, port in node.inputs.items():
        if port.required and name not in node.values and name not in fed:
            findings.error(
                MISSING_INPUT,
                scope.node_pointer(node.id),
                f"node {node.id!r} has no value for the required input {name!r}",
                f"add with: {{{name}: …}}, or a connection to {node.id}.{name}",
            )
    required = node.parameters.get("required")
    parameters = _parameters(node)
    for name in required if isinstance(required, list) else ():
        schema = parameters.get(str(name))
        if name not in node.values and not (isinstance(schema, Mapping) and "default" in schema):
            findings.error(
                MISSING_INPUT,
                scope.node_pointer(node.id),
                f"node {node.id!r} has no value for the required parameter {name!r}",
                f"add with: {{{name}: …}}",
            )


def _check_wire(scope: Scope, edge: Edge, place: str, findings: Findings) -> None:
    source, target = scope.graph.nodes[edge.source], scope.graph.nodes[edge.target]
    if edge.source in scope.unknown or edge.source_port is None or edge.target_port is None:
        return
    given = source.outputs.get(edge.source_port)
    taken = target.inputs.get(edge.target_port, target.any_inputs)
    if given is None or taken is None:
        return
    reason = incompatible(given.schema, taken.schema)
    if reason:
        findings.error(
            INCOMPATIBLE_WIRE,
            place,
            f"no value of {edge.source}.{edge.source_port} can pass to {edge.target}.{edge.target_port}: {reason}",
            "connect another port, or convert the value with core/set",
        )
