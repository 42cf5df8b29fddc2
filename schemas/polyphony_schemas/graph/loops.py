"""The header of a loop, and what can be seen inside each kind of scope (docs/melody.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from polyphony_schemas.graph.findings import Findings, join_pointer
from polyphony_schemas.graph.model import Loop, NodeKind, Template
from polyphony_schemas.graph.parts import milliseconds
from polyphony_schemas.graph.sight import Sight, read_expression, read_template, read_templates
from polyphony_schemas.melody import Block, ForEach, UntilLoop, WhileLoop
from polyphony_schemas.values import JsonValue

ScopeNode: TypeAlias = Block | ForEach | WhileLoop | UntilLoop


def scope_kind(node: ScopeNode) -> NodeKind:
    """Which kind of scope a node is."""
    match node:
        case ForEach():
            return "for_each"
        case WhileLoop():
            return "while"
        case UntilLoop():
            return "until"
        case Block():
            return "block"


def header_sight(node: ScopeNode, outside: Sight) -> Sight:
    """What the header sees: the enclosing scope's nodes; ``inputs`` are the loop's own when it declares any."""
    return outside if node.inputs is None else outside.plus(inputs=tuple(node.inputs))


def inner_sight(node: ScopeNode, outside: Sight) -> Sight:
    """What is visible inside, the scope's own nodes apart."""
    inner = header_sight(node, outside).only("inputs")
    match node:
        case ForEach():
            return inner.plus(node.for_each.as_, "index")
        case WhileLoop() | UntilLoop():
            return inner.plus("round", state=tuple(node.state))
        case Block():
            return inner


def read_loop(node: ScopeNode, outside: Sight, inside: Sight, pointer: str, findings: Findings) -> Loop:
    """The header of a scope. ``inside`` has the scope's own nodes."""
    header = header_sight(node, outside)
    loop = Loop()
    if isinstance(node, ForEach):
        loop = _read_for_each(node, header, join_pointer(pointer, "for_each"), findings)
    elif isinstance(node, WhileLoop | UntilLoop):
        loop = _read_repeat(node, header, inside, pointer, findings)
    if node.budget is None:
        return loop
    return replace(
        loop,
        budget_wall_ms=milliseconds(node.budget.wall),
        budget_usd=node.budget.usd,
        budget_tokens=node.budget.tokens,
    )


def _read_for_each(node: ForEach, header: Sight, pointer: str, findings: Findings) -> Loop:
    each = node.for_each
    complete_when = None
    if each.complete_when is not None:
        counts = Sight(names=frozenset({"done", "failed", "running", "total"}))
        complete_when = read_expression(
            each.complete_when, counts, join_pointer(pointer, "complete_when"), findings
        )
    return Loop(
        items=read_template(each.items, header, join_pointer(pointer, "items"), findings),
        item_name=each.as_,
        parallel=each.parallel if isinstance(each.parallel, int) else 1,
        max=each.max if isinstance(each.max, int) else 10_000,
        parallel_from=_bound(each.parallel, header, join_pointer(pointer, "parallel"), findings),
        max_from=_bound(each.max, header, join_pointer(pointer, "max"), findings),
        tolerate=each.tolerate,
        complete_when=complete_when,
        rest=each.rest,
        open=each.open,
    )


def _read_repeat(
    node: WhileLoop | UntilLoop, header: Sight, inside: Sight, pointer: str, findings: Findings
) -> Loop:
    if isinstance(node, WhileLoop):
        before = inside.without_nodes()
        condition = read_expression(node.while_, before, join_pointer(pointer, "while"), findings)
    else:
        condition = read_expression(node.until, inside, join_pointer(pointer, "until"), findings)
    return Loop(
        max=node.max if isinstance(node.max, int) else 10_000,
        max_from=_bound(node.max, header, join_pointer(pointer, "max"), findings),
        condition=condition,
        on_max=node.on_max,
        state=read_templates(node.state, header, join_pointer(pointer, "state"), findings),
        next=read_templates(node.next, inside, join_pointer(pointer, "next"), findings),
    )


def _bound(value: JsonValue, header: Sight, pointer: str, findings: Findings) -> Template | None:
    if isinstance(value, int):
        return None
    template = read_template(value, header, pointer, findings)
    if not template.expressions:
        findings.error(
            "PLY1612", pointer, f"got the text {value!r}, expected a number or ${{ cel }}", "write a number"
        )
    return template
