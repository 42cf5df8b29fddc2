"""From the document of a scope to its graph: nodes, then connections, then what depends on both.

Reading goes in two passes. First every node is read alone: its references say what it is connected to. With the
connections known, everything that may only name what lies upstream is read: conditions of connections, permissions,
and what happens on errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from polyphony_schemas.graph.assignments import generated_task
from polyphony_schemas.graph.findings import Findings, join_pointer
from polyphony_schemas.graph.interface import input_port
from polyphony_schemas.graph.loops import ScopeNode, inner_sight, read_loop, scope_kind
from polyphony_schemas.graph.model import Edge, Expression, Graph, GraphNode, Port, Template
from polyphony_schemas.graph.output_types import loop_outputs
from polyphony_schemas.graph.parts import read_join, read_limits, read_mutex, read_on_error
from polyphony_schemas.graph.scope import HandlerUse, Scope, ancestors
from polyphony_schemas.graph.sight import Sight, read_expression, read_templates
from polyphony_schemas.graph.step import Context, interface_of, read_permissions, read_step
from polyphony_schemas.melody import Melody, ScopeBase, Step
from polyphony_schemas.melody_connections import read_connection
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.permissions.model import PermissionMap
from polyphony_schemas.program import PackageInterface

MAX_DEPTH = 16
_OWN_SIGHT = Sight(names=frozenset({"inputs", "parameters", "task"}))


@dataclass(slots=True)
class Builder:
    """What stays the same for all scopes of one melody."""

    context: Context
    features: set[str] = field(default_factory=set)

    @property
    def packages(self) -> Mapping[str, PackageInterface]:
        """The known packages."""
        return self.context.packages

    @property
    def findings(self) -> Findings:
        """Where findings go."""
        return self.context.findings

    def scope(self, model: Melody | ScopeBase, sight: Sight, pointer: str, depth: int) -> Scope:
        """Read one scope and all inside it; ``sight`` is what is visible there besides its own nodes."""
        if depth > MAX_DEPTH:
            self.findings.error(
                "PLY1615", pointer, f"got scopes nested {depth} deep, expected at most {MAX_DEPTH}"
            )
            return Scope(pointer, model, Graph({}, ()), (), sight, frozenset(), (), {}, depth)
        handlers = tuple(_handler_uses(model, pointer))
        inside = replace(sight, nodes=frozenset(model.nodes))
        children: dict[str, Scope] = {}
        nodes: dict[str, GraphNode] = {}
        for name, node in model.nodes.items():
            place = join_pointer(pointer, "nodes", name)
            seen = _handler_sight(inside, name, handlers)
            if isinstance(node, Step):
                nodes[name] = read_step(name, node, seen, place, self.context)
            else:
                children[name] = self.scope(node, inner_sight(node, seen), place, depth + 1)
                nodes[name] = self._scope_node(name, node, seen, children[name])
        edges, places = _edges(model, nodes, pointer)
        _with_fed_ports(nodes, edges)
        before = ancestors(edges)
        edges = [
            self._with_condition(model, edge, place, inside, before)
            for edge, place in zip(edges, places, strict=True)
        ]
        named = {use.handler for use in handlers}
        incoming: dict[str, list[Edge]] = {}
        for edge in edges:
            incoming.setdefault(edge.target, []).append(edge)
        for name, node in model.nodes.items():
            upstream = _handler_sight(inside, name, handlers).upstream_of(before.get(name, frozenset()))
            nodes[name] = self._finish(nodes[name], node, upstream, join_pointer(pointer, "nodes", name))
            nodes[name] = self._with_task(nodes[name], node, incoming.get(name, ()))
            nodes[name] = replace(nodes[name], handler=name in named)
            self.features |= _features(nodes[name])
        unknown = frozenset(
            name
            for name, node in model.nodes.items()
            if isinstance(node, Step) and interface_of(node, self.packages) is None
        )
        graph = Graph(nodes, tuple(edges))
        return Scope(pointer, model, graph, tuple(places), inside, unknown, handlers, children, depth)

    def _scope_node(self, name: str, node: ScopeNode, sight: Sight, inner: Scope) -> GraphNode:
        """The node that stands for a scope in the scope around it."""
        pointer = inner.pointer
        loop = read_loop(node, sight, inner.sight, pointer, self.findings)
        outputs = read_templates(node.outputs, inner.sight, join_pointer(pointer, "outputs"), self.findings)
        when = None
        if node.when is not None:
            when = read_expression(node.when, sight, join_pointer(pointer, "when"), self.findings)
        return GraphNode(
            id=name,
            kind=scope_kind(node),
            values=read_templates(node.with_, sight, join_pointer(pointer, "with"), self.findings),
            inputs={
                port: input_port(value, self.context.schemas) for port, value in (node.inputs or {}).items()
            },
            outputs=loop_outputs(outputs, inner.graph, is_list=scope_kind(node) == "for_each"),
            when=when,
            join=read_join(node),
            limits=read_limits(node.limits),
            undo=node.undo,
            mutex=read_mutex(node),
            loop=loop,
            body=inner.graph,
            scope_inputs=node.inputs is not None,
            scope_outputs=outputs,
        )

    def _with_condition(
        self,
        model: Melody | ScopeBase,
        edge: Edge,
        place: str,
        sight: Sight,
        before: Mapping[str, frozenset[str]],
    ) -> Edge:
        """The condition of an explicit connection may name its source and what lies upstream of that."""
        if edge.reference:
            return edge
        text = read_connection(model.connections[int(place.rpartition("/")[2])]).when
        if text is None:
            return edge
        seen = sight.upstream_of({edge.source} | before.get(edge.source, frozenset()))
        when = read_expression(text, seen, join_pointer(place, "when"), self.findings)
        return replace(edge, when=when)

    def _with_task(self, node: GraphNode, model: Step | ScopeNode, edges: Sequence[Edge]) -> GraphNode:
        """What an extension is to do, where nobody wrote it."""
        if node.kind != "extension" or not isinstance(model, Step) or model.task is not None:
            return node
        interface = interface_of(model, self.packages)
        return node if interface is None else replace(node, task=generated_task(node, interface, edges))

    def _finish(self, node: GraphNode, model: Step | ScopeNode, sight: Sight, pointer: str) -> GraphNode:
        """Permissions and error handling, and what the package declares for itself."""
        own = model.permissions or PermissionMap()
        permissions = read_permissions(
            ceiling_of(own), sight, join_pointer(pointer, "permissions"), self.findings
        )
        declared: dict[str, Template] = {}
        if isinstance(model, Step) and (interface := interface_of(model, self.packages)) is not None:
            concrete = {key: items for key, items in interface.permissions.items() if items != "granted"}
            # What is wrong there is the extension's, and said when that is validated.
            declared = read_permissions(concrete, _OWN_SIGHT, "", Findings())
        on_error = read_on_error(model.on_error, sight, join_pointer(pointer, "on_error"), self.findings)
        return replace(node, permissions=permissions, declared=declared, on_error=on_error)


def _handler_uses(model: Melody | ScopeBase, pointer: str) -> Iterator[HandlerUse]:
    for name, node in model.nodes.items():
        place = join_pointer(pointer, "nodes", name)
        if node.on_error is not None:
            for number, other in enumerate(node.on_error.fallback):
                where = join_pointer(place, "on_error", "fallback", number)
                yield HandlerUse(other, "fallback", name, where)
            if node.on_error.compensate is not None:
                where = join_pointer(place, "on_error", "compensate")
                yield HandlerUse(node.on_error.compensate, "compensate", name, where)
        if node.undo is not None:
            yield HandlerUse(node.undo, "undo", name, join_pointer(place, "undo"))


def _handler_sight(sight: Sight, name: str, handlers: tuple[HandlerUse, ...]) -> Sight:
    """A handler also sees what it handles."""
    for use in handlers:
        if use.handler == name:
            if use.kind == "compensate":
                return sight.plus("failed", "error")
            if use.kind == "undo":
                return sight.plus("undone")
    return sight


def _edges(
    model: Melody | ScopeBase, nodes: Mapping[str, GraphNode], pointer: str
) -> tuple[list[Edge], list[str]]:
    """Explicit connections in their order, then the ones that references imply, by node."""
    edges: list[Edge] = []
    places: list[str] = []
    for number, value in enumerate(model.connections):
        read = read_connection(value)
        edges.append(Edge(read.source, read.target, read.source_port, read.target_port))
        places.append(join_pointer(pointer, "connections", number))
    for name, node in nodes.items():
        implied: dict[tuple[str, str], str] = {}
        for expression in _expressions(node):
            for reference in expression.references:
                implied.setdefault(reference, expression.pointer)
        for (source, port), place in implied.items():
            edges.append(Edge(source, name, source_port=port, reference=True))
            places.append(place)
    return edges, places


def _expressions(node: GraphNode) -> Iterator[Expression]:
    """Everything whose references are connections: ``with when items state task`` and a loop's bounds."""
    templates: list[Template | None] = [*node.values.values(), *node.task.values()]
    if node.loop is not None:
        templates += [node.loop.items, node.loop.max_from, node.loop.parallel_from, *node.loop.state.values()]
    for template in templates:
        if template is not None:
            yield from template.expressions.values()
    yield from node.conditions
    if node.when is not None:
        yield node.when


def _features(node: GraphNode) -> set[str]:
    """What a runner must support beyond steps, joins, loops, retry and skip."""
    core = (node.uses or "").removeprefix("core/")
    loop = node.loop
    wanted = {
        "sub-melody": node.kind == "melody",
        "block": node.kind == "block",
        "open map": loop is not None and loop.open,
        "computed bounds": loop is not None and (loop.max_from or loop.parallel_from) is not None,
        f"core/{core}": node.kind == "core" and core in ("switch", "wait", "approve", "signal"),
        "fallback": bool(node.on_error.fallback),
        "compensate": node.on_error.final == "compensate",
        "halt": node.on_error.final == "halt",
        "undo": node.undo is not None,
        "mutex": node.mutex is not None,
        "mutex of scope melody": node.mutex is not None and node.mutex.scope == "melody",
    }
    return {name for name, needed in wanted.items() if needed}


def _with_fed_ports(nodes: dict[str, GraphNode], edges: list[Edge]) -> None:
    """``core/set`` also gives out what connections feed it."""
    for edge in edges:
        node = nodes.get(edge.target)
        if node is not None and node.uses == "core/set" and edge.target_port not in (None, *node.outputs):
            port = {str(edge.target_port): Port({}, required=False)}
            nodes[edge.target] = replace(node, outputs={**node.outputs, **port})
