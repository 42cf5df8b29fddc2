"""Evaluate a checked expression on values, within bounds that hold whatever the values are.

How the bounds hold: the library only ever sees segments without macros (see ``plan``), so it cannot loop, and
what a segment can build is at most the values it names, each as often as it is named. Before a segment runs, those
are measured and counted against one budget of work; macros are loops of ours, which count items and rounds. The
library gets only the members that the expression names, never the whole environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import limits
from polyphony_schemas.expressions.functions import OWN_MACRO, OWN_MATCHES, OWN_SIZE
from polyphony_schemas.expressions.library import Context, Program, compile_program, new_context
from polyphony_schemas.expressions.patterns import found
from polyphony_schemas.expressions.plan import Path, Plan, Segment, Site, plan
from polyphony_schemas.expressions.sizes import checked_result, measure, plain
from polyphony_schemas.graph.model import Expression
from polyphony_schemas.values import JsonValue


def evaluate(expression: Expression, environment: Mapping[str, JsonValue]) -> JsonValue:
    """The value of ``expression``.

    ``environment`` maps node ids to their ports that brought a value (a node or port may be missing: ``has`` asks,
    reading it is an error) and other names to their values. Raises ExpressionError: PLY1106 a bound was reached,
    PLY1107 it failed on the values, PLY1108 a port has no value, PLY1109 the result is no JSON.
    """
    planned = plan(expression.source)
    evaluation = _Evaluation(expression, planned, environment)
    try:
        return checked_result(evaluation.run())
    finally:
        # A context of the library holds our functions, and they hold the evaluation: a circle that runs through native
        # memory, which the collector cannot see.
        evaluation.contexts.clear()


class _Refused(Exception):  # noqa: N818  # carries an error through the library, which keeps only its text
    """Raised inside our functions; the error itself waits in the evaluation."""


class _Evaluation:
    """One evaluation: what it has spent, and the error that waits behind the library's own."""

    def __init__(self, expression: Expression, planned: Plan, environment: Mapping[str, JsonValue]) -> None:
        self.expression = expression
        self.planned = planned
        self.environment = environment
        self.work = 0
        self.rounds = 0
        self.waiting: ExpressionError | None = None
        self.exhausted = False
        self.stop: BaseException | None = None
        self.sizes: dict[Path, int] = {}
        self.contexts: dict[int, Context] = {}
        self.variables: dict[str, object] = {}
        self.functions: dict[str, Callable[..., object]] = {
            OWN_SIZE: self.guarded(_size),
            OWN_MATCHES: self.guarded(found),
            OWN_MACRO: self.guarded(self.macro),
        }

    def run(self) -> object:
        value = self.execute(self.planned.segment)
        if self.stop:
            raise self.stop
        if self.exhausted and self.waiting:  # the library's && and || may have swallowed it
            raise self.waiting
        return value

    def execute(self, segment: Segment) -> object:
        """The value of a segment with the current macro variables."""
        self.spend(self.cost(segment))
        context = self.contexts.get(id(segment))
        if context is None:
            context = new_context(self.visible(segment), self.functions)
            self.contexts[id(segment)] = context
        for name, _ in segment.variables:
            context.add_variable(name, self.variables[name])
        try:
            return _program(segment.text).execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  # a panic of the library is no Exception
            if self.stop:
                raise self.stop from None
            raise self.failure(error) from None

    def cost(self, segment: Segment) -> int:
        paths = sum(self.size_at(path) * count for path, count in segment.paths)
        variables = sum(measure(self.variables[name]) * count for name, count in segment.variables)
        return len(segment.text) + paths + variables

    def size_at(self, path: Path) -> int:
        known = self.sizes.get(path)
        if known is None:
            value: object = self.environment.get(path[0])
            for part in path[1:]:
                if not isinstance(value, Mapping):
                    break
                value = value.get(part)
            known = self.sizes[path] = measure(value)
        return known

    def visible(self, segment: Segment) -> dict[str, object]:
        """The part of the environment that ``segment`` names; a node that brought nothing is an empty map."""
        chosen: dict[str, object] = {}
        nodes = {node for node, _ in self.expression.references}
        for root in {path[0] for path, _ in segment.paths}:
            wanted = [path[1:] for path, _ in segment.paths if path[0] == root]
            if root in self.environment:
                chosen[root] = plain(_part(self.environment[root], wanted))
            elif root in nodes:
                chosen[root] = {}
        return chosen

    def spend(self, amount: int) -> None:
        self.work += amount
        if self.work > limits.MAX_WORK:
            self.give_up(
                f"values of more than {limits.MAX_WORK} bytes", "select the parts that are needed first"
            )

    def give_up(self, got: str, hint: str) -> None:
        self.exhausted = True
        self.waiting = ExpressionError(
            limits.LIMIT_REACHED, f"got {got} in {self.expression.source!r}", hint=hint
        )
        raise self.waiting

    def guarded(self, function: Callable[..., object]) -> Callable[..., object]:
        """``function`` for the library: our errors wait aside while the library reports that a call failed."""

        def call(*arguments: object) -> object:
            if self.exhausted:
                raise _Refused
            try:
                return function(*arguments)
            except ExpressionError as error:
                self.waiting = error
                raise _Refused from None
            except (KeyboardInterrupt, SystemExit) as stop:  # the library would swallow it
                self.stop = stop
                raise _Refused from None

        return call

    def failure(self, error: BaseException) -> ExpressionError:
        """The library's error as ours."""
        text = str(error)
        if self.waiting and "Function '" in text and "__' error" in text:
            return self.waiting
        missing = self.missing_port(error)
        if missing:
            node, port = missing
            return ExpressionError(
                limits.NO_VALUE,
                f"got no value at the port {node}.{port} in {self.expression.source!r}",
                hint=f"ask first, like has({node}.{port}) ? {node}.{port} : null",
                details={"node": node, "port": port},
            )
        reason = f"no member {error.args[0]!r}" if isinstance(error, KeyError) and error.args else text
        return ExpressionError(
            limits.FAILED,
            f"got {reason.split('. ')[0][:300]} in {self.expression.source!r}",
            hint="check the values; convert numbers with int(x) or double(x), ask for members with has(x.y)",
        )

    def missing_port(self, error: BaseException) -> tuple[str, str] | None:
        if not isinstance(error, KeyError) or not error.args:
            return None
        for node, port in self.expression.references:
            ports = self.environment.get(node)
            if port == error.args[0] and not (isinstance(ports, Mapping) and port in ports):
                return node, port
        return None

    def macro(self, receiver: object, number: object) -> object:
        """``receiver.KIND(variable, …)`` of site ``number``, as CEL defines it."""
        site = self.planned.sites[number if isinstance(number, int) else 0]
        items = _items(receiver, site)
        if len(items) > limits.MAX_ITEMS:
            self.give_up(
                f"{len(items)} items for {site.kind}, expected at most {limits.MAX_ITEMS}", _LOOP_HINT
            )
        if site.innermost:
            self.rounds += len(items)
            if self.rounds > limits.MAX_ROUNDS:
                self.give_up(f"more than {limits.MAX_ROUNDS} rounds of macros", _LOOP_HINT)
        outer = self.variables.get(site.variable)
        shadowed = site.variable in self.variables
        try:
            return _LOOPS[site.kind](self, site, items)
        finally:
            if shadowed:
                self.variables[site.variable] = outer
            else:
                self.variables.pop(site.variable, None)

    def holds(self, site: Site, item: object) -> bool:
        if site.predicate is None:
            return True
        self.variables[site.variable] = item
        answer = self.execute(site.predicate)
        if not isinstance(answer, bool):
            raise ExpressionError(
                limits.FAILED,
                f"got {answer!r:.80} from the condition of {site.kind} in {self.expression.source!r}, expected a bool",
                hint="compare, like item.count > 0",
            )
        return answer


_LOOP_HINT = "walk long lists with a for_each node"


def _some(run: _Evaluation, site: Site, items: list[object], wanted: bool) -> bool:
    """Whether some item answers ``wanted``; an error counts only if no other item decides (as || and && do)."""
    error: ExpressionError | None = None
    for item in items:
        try:
            if run.holds(site, item) is wanted:
                return True
        except ExpressionError as failed:
            if run.exhausted:
                raise
            error = error or failed
    if error:
        raise error
    return False


def _map(run: _Evaluation, site: Site, items: list[object]) -> object:
    results: list[object] = []
    for item in items:
        if run.holds(site, item) and site.transform is not None:
            run.variables[site.variable] = item
            value = run.execute(site.transform)
            run.spend(measure(value))
            results.append(value)
    return results


_LOOPS: Mapping[str, Callable[[_Evaluation, Site, list[object]], object]] = {
    "all": lambda run, site, items: not _some(run, site, items, wanted=False),
    "exists": lambda run, site, items: _some(run, site, items, wanted=True),
    "exists_one": lambda run, site, items: sum(run.holds(site, item) for item in items) == 1,
    "filter": lambda run, site, items: [item for item in items if run.holds(site, item)],
    "map": _map,
}


@lru_cache(maxsize=4096)
def _program(text: str) -> Program:
    return compile_program(text)


def _items(receiver: object, site: Site) -> list[object]:
    if isinstance(receiver, (list, dict)):
        return list(receiver)
    raise ExpressionError(
        limits.FAILED,
        f"got {type(receiver).__name__} before .{site.kind}(), expected a list or map",
        hint="check the value that the macro walks over",
    )


def _size(value: object) -> int:
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise ExpressionError(
        limits.FAILED,
        f"got {type(value).__name__} in size(), expected a string, list or map",
        hint="check the value whose size is asked",
    )


def _part(value: object, wanted: list[Path]) -> object:
    """``value`` with only the members that ``wanted`` paths name."""
    if not isinstance(value, Mapping) or () in wanted:
        return value
    keys = {path[0] for path in wanted}
    return {
        key: _part(value[key], [path[1:] for path in wanted if path[0] == key])
        for key in sorted(keys)
        if key in value
    }
