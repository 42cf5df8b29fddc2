"""``decide(state, moment)``: what happens next, as the events that say so. Reads the state, changes nothing.

One step at a time: the shell lets ``evolve`` see each event before it asks again, so no two decisions can
contradict each other. An empty answer means: wait for a node, for time, or for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polyphony_runner.conductor import budgets, core_nodes, handlers, loops, mutexes, once, waits
from polyphony_runner.conductor.breakpoints import halt_before
from polyphony_runner.conductor.directives import DirectiveError, directive
from polyphony_runner.conductor.environment import fill_outputs, truth
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.paths import ROOT
from polyphony_runner.conductor.state import Frame, NextStep, Node, RunState, error_of
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.values import JsonValue

Drafts = Sequence[Draft]


def decide(state: RunState, moment: Moment) -> Drafts:
    """The next events, none while there is nothing to do. Deterministic in its two arguments."""
    if state.finished or state.status == "halted":
        return ()
    if state.halting is not None:
        return () if state.running else (handlers.halted(state, state.halting),)
    if mutexes.regaining(state, moment.locks):
        return ()
    if state.timers and state.timers[0][0] <= moment.now_ms:
        return (_due(state, moment),)
    for path, step in state.agenda.items():
        if step == "begin" and state.breakpoints.stops_at(path):
            return () if state.running else (halt_before(path),)
        return (_decide_one(state, path, step, moment),)
    if state.wanted and (node := mutexes.granted(state, moment.locks)) is not None:
        return (_begin(state, node, moment),)
    if len(state.running) < state.melody.concurrency and (first := _next_to_start(state, moment)):
        return (_start_program(state, state.nodes[first], moment),)
    return ()


def _next_to_start(state: RunState, moment: Moment) -> str | None:
    """The node that has waited longest for a place; pure ones only once no cache holds their result."""
    if state.lookups and moment.missed:
        for path in moment.missed:
            if path in state.lookups:
                return path
    return next(iter(state.ready), None)


def _start_program(state: RunState, node: Node, moment: Moment) -> Draft:
    """The start of a node for which there is a place, if the budgets around it allow."""
    answer = budgets.ask(state, node)
    if answer.wait:
        return Draft("node.waiting", node.path, None, {"for": "budget"})
    if answer.error is not None:
        return fail(state, node, answer.error, moment, retryable=False)
    data: dict[str, JsonValue] = {"reserved": budgets.as_data(answer.reserve)} if answer.reserve else {}
    return Draft("node.started", node.path, node.attempt + 1, data)


def _decide_one(state: RunState, path: str, step: NextStep, moment: Moment) -> Draft:
    if step == "end":
        return _run_ended(state) if path == ROOT else _scope_ended(state, state.frames[path], moment)
    return _NEXT_STEPS[step](state, state.nodes[path], moment)


def _scope_ended(state: RunState, frame: Frame, moment: Moment) -> Draft:
    owner = frame.owner
    if owner is None:
        raise AssertionError(f"{frame.path} belongs to no scope")
    if owner.once:
        return once.ended(state, owner, frame, moment)
    return loops.round_ended(state, owner, frame)


def _open(state: RunState, node: Node, moment: Moment) -> Draft:
    if node.once:
        return once.opened(state, node, moment)
    return loops.opened(state, node, moment)


def _begin(state: RunState, node: Node, moment: Moment) -> Draft:
    """The join is met: conditions, then the directive; core nodes and scopes start at once."""
    try:
        when = node.spec.when
        if when is not None and not truth(state, node.frame, when):
            return Draft("node.skipped", node.path, None, {"when": when.source})
        for condition in node.spec.conditions:
            if not truth(state, node.frame, condition):
                return Draft("node.skipped", node.path, None, {"condition": condition.source})
        if (outputs := state.pinned(node.path)) is not None:
            return Draft("node.succeeded", node.path, None, {"outputs": outputs, "pinned": True})
        if (wait := mutexes.wait_for(state, node, moment)) is not None:
            return wait
        if node.is_scope or node.spec.kind == "core":
            return _start(node)
        data: dict[str, JsonValue] = {name: value for name, value in directive(state, node).items() if value}
        return Draft("node.ready", node.path, None, data or {"inputs": {}})
    except ExpressionError as error:
        return fail(state, node, error_of("expression", error.message), moment, retryable=False)
    except DirectiveError as error:
        return fail(state, node, error_of("validation", error.message), moment, retryable=False)


def _start(node: Node) -> Draft:
    return Draft("node.started", node.path, node.attempt + 1)


def _perform(state: RunState, node: Node, moment: Moment) -> Draft:
    try:
        return core_nodes.perform(state, node, moment)
    except ExpressionError as error:
        return fail(state, node, error_of("expression", error.message), moment, retryable=False)
    except DirectiveError as error:
        return fail(state, node, error_of("validation", error.message), moment, retryable=False)


def _reject(state: RunState, node: Node, moment: Moment) -> Draft:
    return fail(state, node, error_of("expression", state.rejections[node.path]), moment, retryable=False)


def _dead(state: RunState, node: Node, moment: Moment) -> Draft:
    del state, moment
    return Draft("node.dead", node.path)


def _cancel(state: RunState, node: Node, moment: Moment) -> Draft:
    del state, moment
    return Draft(
        "node.cancelled", node.path, node.attempt or None, {"reason": node.cancelling or "cancelled"}
    )


_NEXT_STEPS: dict[NextStep, Callable[[RunState, Node, Moment], Draft]] = {
    "begin": _begin,
    "perform": _perform,
    "open": _open,
    "reject": _reject,
    "dead": _dead,
    "cancel": _cancel,
    "loop": loops.step,
    "deliver": waits.delivered,
    "adopt": handlers.adopt,
    "undone": handlers.undone,
}


_WORDS = {"block": "block", "melody": "sub-melody"}


def _due(state: RunState, moment: Moment) -> Draft:
    """The event for the timer that is due: ``evolve`` keeps only timers that still matter."""
    _, kind, path = state.timers[0]
    if path == ROOT:
        limit = (
            f"took longer than {state.melody.budget_wall_ms} ms"
            if kind == "wall"
            else "spent more than its budget"
        )
        return Draft("run.cancelling", None, None, {"reason": "budget", "message": f"the run {limit}"})
    node = state.nodes[path]
    if kind == "wait":
        return waits.due(state, node, moment)
    if kind in ("wall", "spent"):
        limit = (
            f"took longer than {node.header.budget_wall_ms} ms"
            if kind == "wall"
            else "spent more than its budget"
        )
        error = error_of("budget", f"the {_WORDS.get(node.spec.kind, 'loop')} {limit}")
        return Draft("scope.closed", path, node.attempt, {"reason": "budget", "error": error})
    if node.is_scope or node.spec.kind == "core":
        return _start(node)
    return Draft("node.ready", path)


def _run_ended(state: RunState) -> Draft:
    """The run's last event, or first what is to be taken back because it did not succeed."""
    if state.undoing.begun and (draft := handlers.next_undo(state)) is not None:
        return draft
    last = run_ended(state)
    return last if last.data["status"] == "succeeded" else handlers.next_undo(state) or last


def run_ended(state: RunState) -> Draft:
    """Nothing is running or waiting any more: the outcome and the outputs."""
    root = state.frames[ROOT]
    error = dict(root.failure) if root.failure else None
    status: str = "failed" if error else "succeeded"
    if state.ending is not None:
        status = state.ending.status
        if state.ending.reason == "budget":
            error = error_of("budget", state.ending.message)
        elif status == "failed" and state.ending.message:
            error = error_of("exit", state.ending.message)
        elif status != "failed":
            error = None
    outputs: dict[str, JsonValue] = {}
    for name, template in state.melody.outputs.items():
        try:
            outputs |= fill_outputs(state, root, {name: template})
        except ExpressionError as wrong:
            outputs[name] = None
            if status == "succeeded":
                status, error = "failed", error_of("expression", f"the output {name!r}: {wrong.message}")
    data: dict[str, JsonValue] = {"status": status, "outputs": outputs, "error": error}
    if state.ending is not None:
        data["reason"] = state.ending.reason
        if state.ending.message:
            data["message"] = state.ending.message
    if state.undoing.begun:
        data["undone"] = state.undoing.done
        data["undo_failed"] = list(state.undoing.failed)
    return Draft("run.finished", None, None, data)
