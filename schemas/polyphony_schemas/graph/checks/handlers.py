"""Handlers: named once, in the same scope, without connections of their own (docs/melody.md)."""

from __future__ import annotations

from polyphony_schemas.graph.findings import BAD_HANDLER, Findings
from polyphony_schemas.graph.model import GraphNode
from polyphony_schemas.graph.scope import HandlerUse, Scope
from polyphony_schemas.json_schema import incompatible
from polyphony_schemas.names import did_you_mean


def check_handlers(scope: Scope, findings: Findings) -> None:
    """All ``fallback``, ``compensate`` and ``undo`` of one scope."""
    first: dict[str, HandlerUse] = {}
    for use in scope.handlers:
        if use.handler not in scope.graph.nodes:
            findings.error(
                BAD_HANDLER,
                use.pointer,
                f"got {use.handler!r}, expected a node of the same scope",
                did_you_mean(use.handler, scope.graph.nodes) or "add the node beside this one",
            )
        elif use.handler == use.by:
            findings.error(BAD_HANDLER, use.pointer, f"{use.by!r} cannot be its own {use.kind}")
        elif use.handler in first:
            other = first[use.handler]
            findings.error(
                BAD_HANDLER,
                use.pointer,
                f"{use.handler!r} is the {other.kind} of {other.by!r} already, expected to be named once",
                "add a node of its own for each",
            )
        elif use.kind == "fallback":
            _check_fallback(scope, use, findings)
        first.setdefault(use.handler, use)
    _check_connections(scope, first, findings)


def _check_connections(scope: Scope, handlers: dict[str, HandlerUse], findings: Findings) -> None:
    for edge, place in zip(scope.graph.edges, scope.places, strict=True):
        for end in dict.fromkeys((edge.source, edge.target)):
            if end in handlers:
                what = "a reference" if edge.reference else "a connection"
                use = handlers[end]
                findings.error(
                    BAD_HANDLER,
                    place,
                    f"got {what} {edge.source} -> {edge.target}, but {end!r} is the {use.kind} of {use.by!r}"
                    " and has no connections of its own",
                    _hint(use),
                )


def _hint(use: HandlerUse) -> str:
    match use.kind:
        case "undo":
            return "an undo sees undone.inputs and undone.outputs"
        case "compensate":
            return "a compensation sees failed.inputs, failed.outputs and error"
        case _:
            return f"a fallback gets the inputs of {use.by}, and its outputs count as those of {use.by}"


def _check_fallback(scope: Scope, use: HandlerUse, findings: Findings) -> None:
    """It must offer the outputs of the node it stands in for."""
    if {use.by, use.handler} & scope.unknown:
        return
    failed, other = scope.graph.nodes[use.by], scope.graph.nodes[use.handler]
    for name, port in failed.outputs.items():
        offered = other.outputs.get(name)
        if offered is None:
            findings.error(
                BAD_HANDLER,
                use.pointer,
                f"the fallback {use.handler!r} has no output {name!r}, which {use.by!r} gives",
                "use a package with the same outputs",
            )
        elif reason := incompatible(offered.schema, port.schema):
            findings.error(
                BAD_HANDLER,
                use.pointer,
                f"{use.handler}.{name} cannot stand in for {use.by}.{name}: {reason}",
            )
    _check_inputs(use, failed, other, findings)


def _check_inputs(use: HandlerUse, failed: GraphNode, other: GraphNode, findings: Findings) -> None:
    """A fallback gets the inputs of the failed node under the same names, and no others but its own ``with``."""
    if failed.any_inputs is not None:
        return
    for name, port in other.inputs.items():
        if port.required and name not in failed.inputs and name not in other.values:
            findings.error(
                BAD_HANDLER,
                use.pointer,
                f"the fallback {use.handler!r} requires the input {name!r}, which {use.by!r} does not have",
                f"give it a value under with of {use.handler}",
            )
