"""From text to a checked ``Expression``: bounds, names in sight, references to ports, then the library's parser."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from polyphony_schemas.expressions import limits
from polyphony_schemas.expressions.library import compile_program
from polyphony_schemas.expressions.plan import Plan, Root, plan
from polyphony_schemas.expressions.tokens import refuse
from polyphony_schemas.graph.model import Expression
from polyphony_schemas.names import RESERVED_IDS, did_you_mean


def compile_expression(
    text: str, *, nodes: Collection[str], names: Collection[str], pointer: str = ""
) -> Expression:
    """Check ``text`` and find its references.

    ``nodes`` are the ids of the nodes in sight (they stand only as ``node.port``), ``names`` the other variables
    (``inputs``, ``state``, an ``as`` name, …). Raises ExpressionError (PLY1101 to PLY1105) whose
    ``details["column"]`` is the place in ``text``, from 1.
    """
    planned = plan(text)
    for name, offset in planned.variables:
        _check_variable(name, offset, nodes)
    references = dict.fromkeys(_references(planned, nodes, names))
    _parse(text)
    return Expression(text, tuple(references), pointer)


@lru_cache(maxsize=4096)
def _parse(text: str) -> None:
    """Let the library's parser see the text once; what it accepts is compiled in segments later."""
    compile_program(text)


def _references(planned: Plan, nodes: Collection[str], names: Collection[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for root in planned.roots:
        name = root.path[0]
        if name in nodes:
            found.append(_port(root))
        elif name not in names:
            raise _unknown(root, nodes, names)
    return found


def _port(root: Root) -> tuple[str, str]:
    if len(root.path) < 2:
        raise refuse(
            limits.BAD_NODE_REFERENCE,
            f"got the node {root.path[0]!r} without a port",
            root.offset,
            f"write {root.path[0]}.PORT with one of its outputs",
        )
    return root.path[0], root.path[1]


def _unknown(root: Root, nodes: Collection[str], names: Collection[str]) -> Exception:
    name = root.path[0]
    known = [*names, *nodes]
    hint = did_you_mean(name, known)
    if not hint:
        shown = ", ".join(sorted(known)[:12])
        hint = f"in sight here are {shown}" if shown else "no names are in sight here"
    return refuse(limits.UNKNOWN_NAME, f"got the unknown name {name!r}", root.offset, hint)


def _check_variable(name: str, offset: int, nodes: Collection[str]) -> None:
    if name in nodes:
        what = "is a node of this scope"
    elif name in RESERVED_IDS:
        what = "is a reserved word"
    elif name.endswith("__"):
        what = "ends in two underscores"
    else:
        return
    raise refuse(
        limits.BAD_MACRO,
        f"got the macro variable {name!r}, which {what}",
        offset,
        "choose another name, like item",
    )
