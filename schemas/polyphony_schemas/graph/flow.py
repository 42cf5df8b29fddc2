"""Where values may go in a melody: one flat graph over all scopes, for checks that follow data.

A vertex is what a node gets (``NODE>``), what it gives (``NODE``), its error and what handlers see of it (``NODE!``), or
a variable of a scope (``NODE#inputs``, ``NODE#item``, ``NODE#state``); NODE is a path such as ``fix/lint``. Conditions
and bounds (``when while until complete_when max parallel``) decide and carry no value: they are no flow. A melody that
a node uses is one node here: whatever it gets may leave it by every output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from polyphony_schemas.graph.model import Graph, GraphNode, Template

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_SCOPES = frozenset({"block", "for_each", "while", "until"})


@dataclass(slots=True)
class Flow:
    """``next`` leads from each vertex to where its value may go; ``nodes`` holds every node by path."""

    nodes: dict[str, GraphNode] = field(default_factory=dict)
    next: dict[str, set[str]] = field(default_factory=dict)
    _signals: list[tuple[str, str | None]] = field(default_factory=list)
    _waits: list[tuple[str, str | None]] = field(default_factory=list)

    @classmethod
    def of(cls, graph: Graph) -> Flow:
        """The flow of a whole melody."""
        flow = cls()
        flow._scope(graph, "", {})
        for sender, name in flow._signals:
            for receiver, wanted in flow._waits:
                if name is None or wanted is None or name == wanted:
                    flow._edge(f"{sender}>", receiver)
        return flow

    def order(self) -> list[str]:
        """All vertices, sources first as far as loops let them."""
        done: list[str] = []
        seen: set[str] = set()
        for start in self.next:
            stack: list[tuple[str, Iterator[str]]] = []
            if start not in seen:
                seen.add(start)
                stack.append((start, iter(self.next[start])))
            while stack:
                vertex, rest = stack[-1]
                for other in rest:
                    if other not in seen:
                        seen.add(other)
                        stack.append((other, iter(self.next.get(other, ()))))
                        break
                else:
                    done.append(vertex)
                    stack.pop()
        return done[::-1]

    def path(self, starts: set[str], end: str) -> list[str]:
        """The nodes on a shortest way from one of ``starts`` to ``end``, each once."""
        came: dict[str, str | None] = dict.fromkeys(sorted(starts))
        queue = list(came)
        for vertex in queue:
            if vertex == end:
                break
            for other in sorted(self.next.get(vertex, ())):
                if other not in came:
                    came[other] = vertex
                    queue.append(other)
        way: list[str] = []
        step: str | None = end
        while step is not None:
            way.append(re.split("[>!#]", step)[0])
            step = came.get(step)
        return list(dict.fromkeys(reversed(way)))

    def _edge(self, source: str, target: str) -> None:
        self.next.setdefault(source, set()).add(target)

    def _scope(self, graph: Graph, prefix: str, names: Mapping[str, str]) -> None:
        handled = _handled(graph, prefix)
        for name, node in graph.nodes.items():
            path = prefix + name
            self.nodes[path] = node
            seen = {**names, **handled.get(name, {})}
            for template in [*node.values.values(), *node.task.values()]:
                self._into(template, prefix, seen, f"{path}>")
            if node.on_error.skip_outputs is not None:
                self._into(node.on_error.skip_outputs, prefix, {**seen, "error": f"{path}!"}, path)
            self._edge(f"{path}>", f"{path}!")
            self._edge(path, f"{path}!")
            for other in node.on_error.fallback:
                self._edge(f"{path}>", f"{prefix}{other}>")
                self._edge(prefix + other, path)
            if node.kind in _SCOPES:
                self._body(node, prefix, seen, path)
            else:
                self._edge(f"{path}>", path)
            self._mail(node, path)
        for edge in graph.edges:
            if not edge.reference and edge.source_port is not None and edge.target_port is not None:
                self._edge(prefix + edge.source, f"{prefix}{edge.target}>")

    def _body(self, node: GraphNode, prefix: str, names: Mapping[str, str], path: str) -> None:
        """What enters a scope, goes round in it, and leaves it."""
        inner = dict(names)
        if node.scope_inputs:
            inner["inputs"] = f"{path}#inputs"
        self._edge(f"{path}>", f"{path}#inputs")
        loop = node.loop
        if loop is not None:
            if loop.items is not None:
                inner[loop.item_name] = f"{path}#item"
                self._into(loop.items, prefix, names, f"{path}#item")
            if loop.state:
                inner["state"] = f"{path}#state"
            for template in loop.state.values():
                self._into(template, prefix, names, f"{path}#state")
            for template in loop.next.values():
                self._into(template, f"{path}/", inner, f"{path}#state")
        if node.body is not None:
            self._scope(node.body, f"{path}/", inner)
            for name in node.body.nodes:
                self._edge(f"{path}/{name}!", f"{path}!")
        for template in node.scope_outputs.values():
            self._into(template, f"{path}/", inner, path)

    def _into(self, template: Template, prefix: str, names: Mapping[str, str], target: str) -> None:
        for expression in template.expressions.values():
            for source, _ in expression.references:
                self._edge(prefix + source, target)
            for word in _WORD.findall(expression.source):
                if word in names:
                    self._edge(names[word], target)

    def _mail(self, node: GraphNode, path: str) -> None:
        """Signals carry their payload to waits and open maps of any scope."""
        if node.uses == "core/signal":
            self._signals.append((path, _literal(node, "name")))
        elif node.uses == "core/wait" and "signal" in node.values:
            self._waits.append((path, _literal(node, "signal")))
        elif node.loop is not None and node.loop.open:
            self._waits.append((f"{path}#item", node.id))


def _literal(node: GraphNode, name: str) -> str | None:
    """A value that is written out; None for one that only the run can tell."""
    template = node.values.get(name)
    if template is None or template.expressions or not isinstance(template.value, str):
        return None
    return template.value


def _handled(graph: Graph, prefix: str) -> dict[str, dict[str, str]]:
    """The words by which compensations and undos see what they are for."""
    found: dict[str, dict[str, str]] = {}
    for name, node in graph.nodes.items():
        seen = f"{prefix}{name}!"
        if node.on_error.compensate is not None:
            found.setdefault(node.on_error.compensate, {}).update(failed=seen, error=seen)
        if node.undo is not None:
            found.setdefault(node.undo, {})["undone"] = seen
    return found
