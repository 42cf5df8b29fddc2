"""Which names an expression may use at a place, and reading expressions and templates there (docs/melody.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions.compilation import compile_expression
from polyphony_schemas.expressions.plan import plan
from polyphony_schemas.expressions.templates import TemplateProblem, parse_template
from polyphony_schemas.graph.findings import NOT_UPSTREAM, UNKNOWN_MEMBER, Findings, join_pointer
from polyphony_schemas.graph.model import Expression, Template
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class Sight:
    """The names in sight: ``nodes`` by id, ``names`` the other variables.

    ``members`` are the known members of ``inputs``, ``state`` and their like. ``upstream`` narrows the nodes to
    those that have certainly been decided; None where a reference makes a connection of its own.
    """

    nodes: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    upstream: frozenset[str] | None = None

    def plus(self, *names: str, **members: Collection[str]) -> Sight:
        """With further names, and with names whose members are known."""
        return replace(
            self, names=self.names | set(names) | set(members), members={**self.members, **members}
        )

    def without_nodes(self) -> Sight:
        """The same place, but no node is in sight."""
        return replace(self, nodes=frozenset())

    def only(self, *names: str) -> Sight:
        """No node, and of the names these alone."""
        return Sight(names=frozenset(names), members={n: self.members[n] for n in names if n in self.members})

    def upstream_of(self, nodes: Iterable[str]) -> Sight:
        """Nodes may be named only when they are among ``nodes``."""
        return replace(self, upstream=frozenset(nodes))


def read_expression(text: str, sight: Sight, pointer: str, findings: Findings) -> Expression | None:
    """Bare CEL at ``pointer``; None when it is refused, with a finding."""
    try:
        expression = compile_expression(text, nodes=sight.nodes, names=sight.names, pointer=pointer)
    except ExpressionError as error:
        findings.refused(pointer, error)
        return None
    _check_members(expression, sight, findings)
    return expression


def read_template(value: JsonValue, sight: Sight, pointer: str, findings: Findings) -> Template:
    """A value in which strings may be ``${ cel }``; what is refused is a finding and stays a plain string."""
    problems: list[TemplateProblem] = []
    template = parse_template(value, nodes=sight.nodes, names=sight.names, pointer=pointer, problems=problems)
    for problem in problems:
        findings.refused(problem.pointer, problem.error)
    for expression in template.expressions.values():
        _check_members(expression, sight, findings)
    return template


def read_templates(
    values: Mapping[str, JsonValue], sight: Sight, pointer: str, findings: Findings
) -> dict[str, Template]:
    """A map of templates below ``pointer``."""
    return {
        name: read_template(value, sight, join_pointer(pointer, name), findings)
        for name, value in values.items()
    }


def _check_members(expression: Expression, sight: Sight, findings: Findings) -> None:
    if sight.members:
        for root in plan(expression.source).roots:
            known = sight.members.get(root.path[0])
            if known is not None and len(root.path) > 1 and root.path[1] not in known:
                findings.error(
                    UNKNOWN_MEMBER,
                    expression.pointer,
                    f"got {root.path[0]}.{root.path[1]}, expected one of {_shown(root.path[0], known)}",
                    did_you_mean(root.path[1], known) or f"declare {root.path[1]!r} first",
                )
    if sight.upstream is not None:
        for node, _ in expression.references:
            if node not in sight.upstream:
                findings.error(
                    NOT_UPSTREAM,
                    expression.pointer,
                    f"got a reference to {node!r}, which may not be decided yet at this place",
                    f"connect {node} first, or move the condition to the node's own when",
                )


def _shown(name: str, known: Collection[str]) -> str:
    return ", ".join(f"{name}.{member}" for member in sorted(known)[:12]) or f"no {name} at all"
