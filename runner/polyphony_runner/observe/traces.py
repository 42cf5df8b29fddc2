"""OpenTelemetry traces, with the extra ``otel`` and only where an exporter is configured (``OTEL_*`` variables).

The run is one span, every attempt of a node one inside the span of its scope. The id of the trace is the number in the
run's id: what another process goes on with joins the same trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from polyphony_runner.conductor.state import RunState
from polyphony_schemas.journal import Event

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

# Any of them says that somebody wants traces, and where.
_ASKED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_ENDS = ("node.succeeded", "node.failed", "node.retrying", "node.cancelled")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def asked_for(environ: Mapping[str, str]) -> bool:
    """Whether traces are wanted here."""
    return any(environ.get(name) for name in _ASKED_BY) and environ.get("OTEL_SDK_DISABLED") != "true"


def missing() -> list[str]:
    """The packages of the extra that are not installed."""
    names = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def exporting_provider(run: str) -> TracerProvider:
    """A provider that sends to where the ``OTEL_*`` variables say."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = provider_for(run)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def provider_for(run: str) -> TracerProvider:
    """A provider without a processor, whose traces have the id of the run."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return trace_id(run) or super().generate_trace_id()

    resource = Resource.create({"service.name": "polyphony"})
    return TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)


def trace_id(run: str) -> int:
    """The 128 bits of a run's id, 0 when it is none.

    >>> hex(trace_id("r_0000000000000000000000000z"))
    '0x1f'
    """
    number = 0
    for sign in run.removeprefix("r_"):
        value = _ALPHABET.find(sign)
        if value < 0:
            return 0
        number = (number << 5 | value) & ((1 << 128) - 1)
    return number


class Traces:
    """An observer that turns events into spans of a provider; ``close`` ends what is open and sends everything."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("polyphony")
        self._run: Span | None = None
        self._open: dict[str, Span] = {}

    def __call__(self, event: Event, state: RunState) -> None:
        """Begin or end a span."""
        match event.type:
            case "run.started" | "run.resumed" if self._run is None:
                self._run = self._begun(str(state.created.get("name", "run")), None, event, state)
            case "node.started":
                self._end(event, "lost")  # of an attempt that died unseen
                self._open[event.node or ""] = self._begun(
                    event.node or "", self._around(event.node), event, state
                )
            case "node.succeeded" if event.data.get("cached") is True:
                span = self._begun(event.node or "", self._around(event.node), event, state)
                span.set_attribute("polyphony.cached", True)
                span.end(_nanoseconds(event))
            case "run.finished" | "run.halted":
                self._finish(event)
            case kind if kind in _ENDS:
                self._end(event, kind.removeprefix("node."))

    def close(self) -> None:
        """End what no event ended, and hand everything to the exporter."""
        for span in (*self._open.values(), *([self._run] if self._run is not None else [])):
            span.end()
        self._open.clear()
        self._run = None
        self._provider.shutdown()

    def _begun(self, name: str, parent: Span | None, event: Event, state: RunState) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = Context() if parent is None else set_span_in_context(parent, Context())
        span = self._tracer.start_span(name, context=context, start_time=_nanoseconds(event))
        span.set_attribute("polyphony.run", str(state.created.get("run", "")))
        if event.node is not None:
            span.set_attribute("polyphony.node", event.node)
        if event.attempt is not None:
            span.set_attribute("polyphony.attempt", event.attempt)
        return span

    def _around(self, path: str | None) -> Span | None:
        """The span of the nearest scope around a node, else that of the run."""
        scope = (path or "").rpartition("/")[0]
        while scope:
            found = self._open.get(scope.rpartition("[")[0] if scope.endswith("]") else scope)
            if found is not None:
                return found
            scope = scope.rpartition("/")[0]
        return self._run

    def _end(self, event: Event, status: str) -> None:
        span = self._open.pop(event.node or "", None)
        if span is None:
            return
        self._judge(span, event, status)
        span.end(_nanoseconds(event))

    def _finish(self, event: Event) -> None:
        for path in [*self._open]:
            self._open.pop(path).end(_nanoseconds(event))
        if self._run is not None:
            self._judge(self._run, event, str(event.data.get("status", "halted")))
            self._run.end(_nanoseconds(event))
            self._run = None

    @staticmethod
    def _judge(span: Span, event: Event, status: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("polyphony.status", status)
        error = event.data.get("error")
        if isinstance(error, Mapping):
            span.set_attribute("error.type", str(error.get("kind")))
            span.set_status(Status(StatusCode.ERROR, str(error.get("message"))))
        elif status == "succeeded":
            span.set_status(Status(StatusCode.OK))


def _nanoseconds(event: Event) -> int:
    return event.at_ms * 1_000_000
