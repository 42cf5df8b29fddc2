"""What a melody may really do with everything that it uses: the grants of all its nodes, cut by every ceiling on the way.

The melody has to be linked (``graph.linking``). Grants are compared before any run, by their text. A grant that only
the run can tell counts as everything that the nearest ceiling leaves open there; ``${ inputs.X }`` of a melody that is
used becomes what its user gives for it. So the answer is never less than what a run gets.

``consented`` is what people are asked about: the ceiling, and beyond it the writes that some node does directly, since
a ceiling says where may be written and not how (docs/melody.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from polyphony_schemas.graph.model import CompiledMelody, Graph, GraphNode, Template
from polyphony_schemas.permissions.compare import covers
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.permissions.items import NAMED_AT_NODE, PATH_KEYS, covered, endpoint, path_of, text_of
from polyphony_schemas.permissions.keys import PACKAGE_INDEX, PERMISSION_KEYS, Grants
from polyphony_schemas.trust import canonical
from polyphony_schemas.values import JsonValue

# A grant that only the run can tell.
UNKNOWN = "${ ? }"
_OWN_VALUE = re.compile(r"\$\{\s*(?:inputs|parameters)\.([a-z][a-z0-9_]*)\s*\}")
_SCOPE_INPUT = re.compile(r"\$\{\s*inputs\.([a-z][a-z0-9_]*)\s*\}")


@dataclass(frozen=True, slots=True)
class Use:
    """One grant, and the paths of the nodes that get it."""

    key: str
    item: JsonValue
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """The grants of a melody and all that it uses, by key and text."""

    uses: tuple[Use, ...]

    @property
    def grants(self) -> Grants:
        """The items by key."""
        found: dict[str, tuple[JsonValue, ...]] = {}
        for use in self.uses:
            found[use.key] = (*found.get(use.key, ()), use.item)
        return found

    @property
    def private(self) -> list[str]:
        """Endpoints of the user's own machine or network."""
        return sorted({endpoint(use.item).url for use in self.uses if _is_private(use)})

    def to_json(self) -> dict[str, JsonValue]:
        """As ``preview`` and ``install`` show it."""
        return {
            "permissions": canonical_document(self.grants),
            "digest": digest(self.grants),
            "private": list(self.private),
            "uses": [{"key": use.key, "item": use.item, "nodes": list(use.nodes)} for use in self.uses],
        }


def _is_private(use: Use) -> bool:
    return use.key == "network" and use.item != PACKAGE_INDEX and endpoint(use.item).private


def whole_of(melody: CompiledMelody) -> Whole:
    """Everything that the nodes of a linked melody may get."""
    found: dict[tuple[str, bytes], tuple[JsonValue, list[str]]] = {}
    for path, key, item in _grants(melody, melody.graph, "", ()):
        _, nodes = found.setdefault((key, canonical.encode(item)), (item, []))
        if path not in nodes:
            nodes.append(path)
    order: dict[str, int] = {key: number for number, key in enumerate(PERMISSION_KEYS)}
    return Whole(
        tuple(
            Use(key, item, tuple(sorted(nodes)))
            for (key, _), (item, nodes) in sorted(
                found.items(), key=lambda one: (order[one[0][0]], one[0][1])
            )
        )
    )


def consented(ceiling: Grants, whole: Whole) -> Grants:
    """The ceiling with the direct writes that it does not show; equal to the ceiling where there are none.

    >>> consented({"write": ("out",)}, Whole((Use("write", {"path": "out/a", "mode": "direct"}, ("n",)),)))
    {'write': ('out', {'path': 'out/a', 'mode': 'direct'})}
    """
    shown = ceiling.get("write", ())
    hidden = [
        use.item
        for use in whole.uses
        if use.key == "write" and not any(covers("write", use.item, grant) for grant in shown)
    ]
    return {**ceiling, "write": (*shown, *hidden)} if hidden else ceiling


@dataclass(frozen=True, slots=True)
class _Around:
    """A melody and the node that uses it, in the graph of ``graph`` of another melody."""

    melody: CompiledMelody
    node: GraphNode
    graph: Graph
    shadowed: bool


def _grants(
    melody: CompiledMelody, graph: Graph, path: str, around: tuple[_Around, ...], *, shadowed: bool = False
) -> Iterator[tuple[str, str, JsonValue]]:
    """Path, key and item of every grant in a graph; ``shadowed``: ``inputs`` means those of a scope there."""
    for name, node in graph.nodes.items():
        here = f"{path}{name}"
        if node.body is not None:
            yield from _grants(melody, node.body, f"{here}/", around, shadowed=shadowed or node.scope_inputs)
        elif node.kind == "melody":
            inner = melody.melodies.get(node.package or "") or _found(around, node.package or "")
            # One that uses itself gets no more inside than it has outside.
            if inner is not None and inner is not melody and all(one.melody is not inner for one in around):
                step = _Around(melody, node, graph, shadowed)
                yield from _grants(inner, inner.graph, f"{here}/", (*around, step))
        else:
            for key in PERMISSION_KEYS:
                for item in _of_node(melody, graph, node, key, shadowed=shadowed):
                    for outer in _outwards(key, item, around):
                        yield here, key, outer


def _found(around: tuple[_Around, ...], package: str) -> CompiledMelody | None:
    """A melody by its key: the table is the outermost one's."""
    root = around[0].melody if around else None
    return None if root is None else root.melodies.get(package)


def _of_node(
    melody: CompiledMelody, graph: Graph, node: GraphNode, key: str, *, shadowed: bool
) -> list[JsonValue]:
    """What a node gets within its own melody."""
    own = _items(node.permissions.get(key))
    if shadowed:
        own = [_hidden(key, item) for item in own]
    ceiling = _items(melody.ceiling.get(key))
    if key in node.granted:
        return _narrowed(key, own, ceiling)
    asked = [_resolved(graph, node, key, item) for item in _items(node.declared.get(key))]
    if shadowed:
        asked = [_hidden(key, item) for item in asked]
    if key in node.permissions or key in NAMED_AT_NODE:
        asked = _narrowed(key, asked, own)
    return _narrowed(key, asked, ceiling)


def _outwards(key: str, item: JsonValue, around: tuple[_Around, ...]) -> list[JsonValue]:
    """What of a grant in a melody the nodes and ceilings around it leave, in the words of the outermost."""
    items = [item]
    for step in reversed(around):
        items = [_given(step, key, one) for one in items]
        passed = _items(step.node.permissions.get(key))
        if key in step.node.permissions or key in NAMED_AT_NODE:
            items = _narrowed(key, items, [_hidden(key, one) for one in passed] if step.shadowed else passed)
        items = _narrowed(key, items, _items(step.melody.ceiling.get(key)))
    return items


def _given(step: _Around, key: str, item: JsonValue) -> JsonValue:
    """An item of the inner melody in words of the outer: ``${ inputs.X }`` is what the node gives."""
    text = _text(key, item)
    if "${" not in text:
        return item
    found = _SCOPE_INPUT.fullmatch(text)
    value = _own_value(step.graph, step.node, found[1]) if found else UNKNOWN
    given = _with_text(key, item, value)
    return _hidden(key, given) if step.shadowed else given


def _narrowed(key: str, items: Sequence[JsonValue], grants: Sequence[JsonValue]) -> list[JsonValue]:
    """The items that the grants allow, or may allow; for one that only the run can tell, what they leave open."""
    kept: list[JsonValue] = []
    for item in items:
        if any(_same(key, item, grant) for grant in grants):
            kept.append(item)
        elif "${" in _text(key, item):
            kept += [
                _with_text(key, item, _text(key, grant), private=_private(key, grant)) for grant in grants
            ]
        elif any("${" in _text(key, grant) or covered(key, item, grant) for grant in grants):
            kept.append(item)
    return kept


def _same(key: str, item: JsonValue, grant: JsonValue) -> bool:
    one, other = _text(key, item), _text(key, grant)
    return one != UNKNOWN and re.sub(r"\s", "", one) == re.sub(r"\s", "", other) and covered(key, item, grant)


def _resolved(graph: Graph, node: GraphNode, key: str, item: JsonValue) -> JsonValue:
    """An extension's grant with the node's own value put in, where the document has it."""
    text = _text(key, item)
    if "${" not in text:
        return item
    found = _OWN_VALUE.fullmatch(text)
    return _with_text(key, item, _own_value(graph, node, found[1]) if found else UNKNOWN)


def _own_value(graph: Graph, node: GraphNode, name: str) -> str:
    template = node.values.get(name)
    if template is not None:
        return template.value if isinstance(template.value, str) else UNKNOWN
    if any(edge.target == node.id and edge.target_port == name for edge in graph.edges):
        return UNKNOWN
    port = node.inputs.get(name)
    return port.default if port is not None and isinstance(port.default, str) else UNKNOWN


def _hidden(key: str, item: JsonValue) -> JsonValue:
    """Inside a scope with inputs of its own, an expression says nothing to those outside."""
    return _with_text(key, item, UNKNOWN) if "${" in _text(key, item) else item


def _text(key: str, item: JsonValue) -> str:
    """What is compared: the path, the address, or the word."""
    if key in PATH_KEYS:
        return path_of(item)
    if key == "network" and isinstance(item, Mapping):
        return str(item.get("url", ""))
    return item if isinstance(item, str) else text_of(item)


def _with_text(key: str, item: JsonValue, text: str, *, private: bool = False) -> JsonValue:
    """The item with another path or address; its ``mode`` and ``view`` stay, and private is what both are."""
    if key in PATH_KEYS and isinstance(item, Mapping):
        return {**item, "path": text}
    if key == "network" and (private or isinstance(item, Mapping)):
        return {"url": text, "private": True} if private else text
    return text


def _private(key: str, grant: JsonValue) -> bool:
    return key == "network" and isinstance(grant, Mapping) and bool(grant.get("private", False))


def _items(template: Template | None) -> list[JsonValue]:
    return list(template.value) if template is not None and isinstance(template.value, list) else []
