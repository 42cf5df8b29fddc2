"""Budgets of tokens and USD (docs/melody.md, Budgets): reserved before a node starts, settled when its attempt ends.

A node reserves its own limit, or without one all that is left: then nothing else that may spend starts beside it. What
does not fit waits while others hold reservations, and fails before its start when it can never fit. So a run stops
before a budget is overrun; that a node reports more than it reserved is noticed at once, and ends the scope.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase

from polyphony_runner.conductor.ledger import DIMENSIONS, Account, Amounts, Dimension, amounts
from polyphony_runner.conductor.paths import ROOT
from polyphony_runner.conductor.state import Error, Node, RunState, error_of
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue

# Whose usage reports are believed unless the settings say otherwise.
TRUSTED = ("polyphony/*",)
# Without one of these a program in the sandbox reaches no model.
_REACH = frozenset({"models", "network", "secrets"})
# Errors of an attempt that never had a process.
_NEVER_RAN = frozenset({"permission", "unavailable"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node that may start gets: its reservation (none where no budget concerns it), a place in line, or a refusal."""

    reserve: Amounts = field(default_factory=dict)
    wait: bool = False
    error: Error | None = None


_FREE = Answer()
_WAIT = Answer(wait=True)


def ask(state: RunState, node: Node) -> Answer:
    """Whether the budgets around a node let it start now."""
    if not may_spend(node) or _takes_back(state, node):
        return _FREE
    accounts = list(accounts_of(state, node))
    reserve: Amounts = {}
    waits = False
    for dimension in DIMENSIONS:
        concerned = [account for account in accounts if dimension in account.limits]
        if not concerned:
            continue
        scarce = min(concerned, key=lambda account: account.left(dimension))  # used at once
        left = scarce.left(dimension)
        need = own_limit(node, dimension)
        need = left if need is None else need
        if left <= 0 or need > left:
            return Answer(error=_refusal(scarce, dimension, need, left))
        waits = waits or any(need > account.free(dimension) for account in concerned)
        reserve[dimension] = need
    return _WAIT if waits else Answer(reserve)


def may_spend(node: Node) -> bool:
    """Whether a node could cost something: it says so by a limit, or its sandbox lets it reach a model."""
    spec = node.spec
    if spec.limits.tokens is not None or spec.limits.usd is not None:
        return True
    return bool(_REACH & spec.permissions.keys()) or "models" in spec.declared or "models" in spec.granted


def own_limit(node: Node, dimension: Dimension) -> Decimal | None:
    """What one attempt of the node may spend by its own limits, or the melody's for every node."""
    own, every = node.spec.limits, node.frame.limits
    pairs: dict[Dimension, tuple[str | int | None, str | int | None]] = {
        "tokens": (own.tokens, every.tokens),
        "usd": (own.usd, every.usd),
    }
    first, second = pairs[dimension]
    found = first if first is not None else second
    return None if found is None else Decimal(str(found))


def accounts_of(state: RunState, node: Node | None) -> Iterator[Account]:
    """The budgets that a node spends from: the scopes around it, then the run."""
    owner = None if node is None else node.frame.owner
    while owner is not None:
        header, loop = owner.spec.loop, owner.loop
        if header is not None and loop is not None:
            limits = amounts((("tokens", header.budget_tokens), ("usd", header.budget_usd)))
            if limits:
                yield Account(owner.path, limits, loop.usage, loop.ledger)
        owner = owner.frame.owner
    melody = state.melody
    limits = amounts((("tokens", melody.budget_tokens), ("usd", melody.budget_usd)))
    if limits:
        yield Account(ROOT, limits, state.usage, state.ledger)


def hold(state: RunState, node: Node, event: Event) -> None:
    """An attempt starts with the reservation that its ``node.started`` names."""
    node.claimed, node.overspent = {}, False
    named = event.data.get("reserved")
    if not isinstance(named, Mapping):
        return
    node.reserve = {
        dimension: Decimal(str(named[dimension])) for dimension in DIMENSIONS if dimension in named
    }
    for account in accounts_of(state, node):
        for dimension in account.limits.keys() & node.reserve.keys():
            account.ledger.reserved[dimension] += node.reserve[dimension]
    wake(state)


def count(state: RunState, node: Node | None, event: Event) -> None:
    """A ``node.usage``: a claim, counted at once in the run and every scope around the node."""
    data = event.data
    tokens = int(str(data.get("input_tokens") or 0)), int(str(data.get("output_tokens") or 0))
    usd = Decimal(str(data.get("usd") or "0"))
    state.usage.add(*tokens, usd)
    owner = None if node is None else node.frame.owner
    while owner is not None:
        if owner.loop is not None:
            owner.loop.usage.add(*tokens, usd)
        owner = owner.frame.owner
    cost: Amounts = {"tokens": Decimal(sum(tokens)), "usd": usd}
    if node is not None:
        _claim(state, node, cost)
    for account in accounts_of(state, node):
        if account.passed:
            state.set_timer(event.at_ms, "spent", account.path)


def _claim(state: RunState, node: Node, cost: Amounts) -> None:
    """What was reported is no longer only reserved; an attempt that passes its own limit is ended."""
    used: Amounts = {name: min(cost[name], left) for name, left in (node.reserve or {}).items()}
    _take_out(state, node, used)
    for dimension in DIMENSIONS:
        claimed = node.claimed[dimension] = node.claimed.get(dimension, Decimal(0)) + cost[dimension]
        limit = own_limit(node, dimension)
        if limit is not None and claimed > limit and not node.overspent:
            node.overspent = True
            if node.path in state.running:
                state.interrupts.setdefault(node.path, "budget")


def settle(state: RunState, node: Node, event: Event | None = None) -> None:
    """An attempt is over: what it did not report is free again, or spent when its reports are not to be trusted."""
    left = node.reserve
    if left is None:
        return
    if not (_never_ran(event) or trusted(state, node)):
        for account in accounts_of(state, node):
            for dimension in account.limits.keys() & left.keys():
                account.ledger.unreported[dimension] += left[dimension]
    _take_out(state, node, dict(left))
    node.reserve = None
    wake(state)


def _take_out(state: RunState, node: Node, used: Amounts) -> None:
    if node.reserve is None or not used:
        return
    for account in accounts_of(state, node):
        for dimension in account.limits.keys() & used.keys():
            account.ledger.reserved[dimension] -= used[dimension]
    for dimension, amount in used.items():
        node.reserve[dimension] -= amount


def wake(state: RunState) -> None:
    """Something was freed or taken: the first in line may have its answer now."""
    for path in state.in_line:
        if not ask(state, state.nodes[path]).wait:
            del state.in_line[path]
            state.ready[path] = None
        return


def trusted(state: RunState, node: Node) -> bool:
    """Whether what an extension reports is believed: verified packages whose names the settings trust."""
    uses = node.spec.package or ""
    packages = state.created.get("packages")
    known = packages.get(uses) if isinstance(packages, Mapping) else None
    if isinstance(known, Mapping) and known.get("local"):
        return False
    rules = state.created.get("usage_trusted", TRUSTED)
    name = uses.partition("@")[0]
    return any(fnmatchcase(name, str(rule)) for rule in rules) if isinstance(rules, (list, tuple)) else False


def overspent(node: Node) -> Error:
    """The error of an attempt that passed its own limit."""
    told: list[str] = []
    for dimension in DIMENSIONS:
        limit = own_limit(node, dimension)
        if limit is not None and node.claimed.get(dimension, Decimal(0)) > limit:
            told.append(f"{node.claimed[dimension]} {dimension}, its limit is {limit}")
    return error_of("budget", f"the attempt spent {' and '.join(told)}")


def as_data(reserve: Amounts) -> dict[str, JsonValue]:
    """A reservation as ``node.started`` carries it."""
    data: dict[str, JsonValue] = {}
    for dimension, amount in reserve.items():
        data[dimension] = int(amount) if dimension == "tokens" else f"{amount:f}"
    return data


def _takes_back(state: RunState, node: Node) -> bool:
    """Cleaning up must not fail for want of money."""
    return state.undoing.begun or (node.duty is not None and node.duty.kind != "fallback")


def _never_ran(event: Event | None) -> bool:
    error = None if event is None else event.data.get("error")
    return isinstance(error, Mapping) and error.get("kind") in _NEVER_RAN


def _refusal(account: Account, dimension: Dimension, need: Decimal, left: Decimal) -> Error:
    whose = f"the budget of {account.path}" if account.path else "the run's budget"
    total = account.limits[dimension]
    if left <= 0:
        return error_of("budget", f"nothing is left of {whose} of {total} {dimension}")
    return error_of("budget", f"may spend {need} {dimension}, but {whose} has {left} of {total} left")
