"""``polyphony debug``: a run that is led by a person, from stop to stop.

Everything it does is in the journal: where to stop stands in ``run.started`` and ``run.resumed``, where it stopped in
``run.halted``, a value that was set in the ``node.succeeded`` with ``edited``. To set an output that others may have
seen already makes a new run (``rerun``), which is led on in place of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from polyphony_runner.conductor.conductor import Observer
from polyphony_runner.conductor.evolve_nodes import DIRECTIVE
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import Values, loaded, values_in
from polyphony_runner.home import Home
from polyphony_runner.runs.edits import Edits, check_edits, read_edits
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.fork import Past
from polyphony_runner.runs.report import error_document, node_document
from polyphony_runner.runs.rerun import RerunRequest, rerun
from polyphony_runner.runs.session import RuntimeFactory, Session
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a run stands: before ``node`` (None at its end or after an interrupt), at the event ``seq``."""

    run: str
    status: str
    node: str | None
    seq: int

    def to_json(self) -> dict[str, JsonValue]:
        """As ``debug --json`` lists it."""
        return {"run": self.run, "status": self.status, "node": self.node, "seq": self.seq}


@dataclass(slots=True)
class Debugger:
    """Leads one run; ``session`` is another one after a value was set that others had seen."""

    session: Session
    home: Home
    runtime: RuntimeFactory
    observer: Observer
    on_second_signal: Callable[[], None]
    breakpoints: set[str] = field(default_factory=set)
    stops: list[Stop] = field(default_factory=list)

    @property
    def state(self) -> RunState:
        """The run's state now."""
        return self.session.state

    def go(self, *, step: bool) -> Stop:
        """Go on to the next breakpoint, by ``step`` to the next node that begins, else to the end."""
        if self.state.finished:
            raise RunError(
                "PLY2755",
                f"the run is over: {self.state.status}",
                hint="set a value to go on from it, or quit",
            )
        paths: Sequence[JsonValue] = sorted(self.breakpoints)
        self.session.stops = {"breakpoints": paths, "step": step}
        self.session.on_second_signal = self.on_second_signal
        self.session.execute(self.runtime, self.observer)
        self.stops.append(self.where())
        return self.stops[-1]

    def where(self) -> Stop:
        """Where the run stands."""
        state = self.state
        return Stop(self.session.folder.run, state.status, state.breakpoints.at, state.next_seq)

    def stop_at(self, node: str) -> None:
        """Stop before this node from now on; PLY2755 when the melody has none of this name."""
        if not self._is_known(node):
            raise RunError(
                "PLY2755",
                f"the melody has no node {node!r}",
                hint=did_you_mean(node, self.state.nodes) or "a path such as lint, fix/lint or fix[3]/lint",
            )
        self.breakpoints.add(node)

    def set_value(self, text: str) -> str:
        """Set ``NODE.PORT=VALUE`` or ``inputs.NAME=VALUE``; the words that say what came of it."""
        edits = read_edits([text])
        if edits.inputs or any(self._was_seen(path) for path in edits.nodes):
            return self._fork(edits)
        edits = check_edits(edits, Past([], self.state))
        for path, ports in edits.nodes.items():
            self.session.settle(path, ports)
        return f"{', '.join(edits.nodes)} is taken to have succeeded with it"

    def show(self, path: str) -> dict[str, JsonValue]:
        """Everything known of a node; PLY2755 when the run has none of this path so far."""
        node = self.state.nodes.get(path)
        if node is None:
            raise RunError(
                "PLY2755",
                f"the run has no node {path!r} so far",
                hint=did_you_mean(path, self.state.nodes) or "nodes lists them",
            )
        given = node.directive or _given(self.session.journal.events(), path)
        return {
            "node": node.path,
            **node_document(node),
            "kind": node.spec.kind,
            "uses": node.spec.uses,
            "given": {name: loaded(values, self.state.reader) for name, values in given.items() if values},
            "outputs": loaded(node.outputs, self.state.reader),
            "error": error_document(node.error),
        }

    def _was_seen(self, path: str) -> bool:
        node = self.state.nodes.get(path)
        return self.state.finished or (node is not None and node.final)

    def _fork(self, edits: Edits) -> str:
        old = self.session.folder.run
        session = rerun(self.session.folder, RerunRequest(edits=edits), self.home)
        self.session.journal.close()
        self.session = session
        return f"the run {session.folder.run} goes on from {old}, with this value"

    def _is_known(self, path: str) -> bool:
        if path in self.state.nodes:
            return True
        graph = self.state.melody.graph
        *scopes, name = [part.partition("[")[0] for part in path.split("/")]
        for scope in scopes:
            node = graph.nodes.get(scope)
            if node is None:
                return False
            if node.body is None:
                return node.kind == "melody"  # what is inside shows once it runs
            graph = node.body
        return name in graph.nodes


def _given(events: Iterable[Event], path: str) -> Mapping[str, Values]:
    """What a node was given last, by its ``node.ready``: the state forgets it at the node's end."""
    found: dict[str, Values] = {}
    for event in events:
        if event.node == path and event.type == "node.ready" and event.data:
            found = {name: values_in(event.data, name) for name in DIRECTIVE}
    return found
