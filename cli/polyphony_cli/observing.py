"""Who sees the events of a run that goes on here: the person, and what the operator asked for beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_cli.run_view import RunView
    from polyphony_runner.conductor.conductor import Observer
    from polyphony_runner.conductor.state import RunState
    from polyphony_runner.home import Home
    from polyphony_schemas.journal import Event

metrics_option = click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write metrics of the run in the text format of Prometheus when it ends or halts.",
)


@contextmanager
def observing(
    console: Console, home: Home, run: str, view: RunView, metrics: Path | None
) -> Iterator[Observer]:
    """The one observer that a Conductor gets: the view alone where nothing else was asked for."""
    from polyphony_runner.observe.traces import asked_for
    from polyphony_runner.settings import read_settings

    metrics = metrics or read_settings(home).metrics
    observers: list[Observer] = [view]
    with ExitStack() as stack:
        if metrics is not None:
            observers.append(stack.enter_context(_metrics(console, metrics)))
        if asked_for(os.environ) and (traces := _traces(console, run)) is not None:
            stack.callback(traces[1])
            observers.append(traces[0])
        stack.enter_context(view.around())
        yield view if len(observers) == 1 else _together(observers)


@contextmanager
def _metrics(console: Console, path: Path) -> Iterator[Observer]:
    from polyphony_runner.observe.metrics import Metrics

    metrics = Metrics()
    try:
        yield metrics
    finally:
        try:
            metrics.write(path)
        except OSError as error:  # the run is what it is: metrics are no reason to call it failed
            console.say(f"warning: no metrics in {str(path)!r}: {(error.strerror or str(error)).lower()}")


def _traces(console: Console, run: str) -> tuple[Observer, Callable[[], None]] | None:
    """An observer and what ends it; None, with a word about it, where the extra is not installed."""
    from polyphony_runner.observe.traces import Traces, exporting_provider, missing

    if missing():
        console.say("warning: OTEL_* asks for traces, and the packages for them are not installed")
        console.hint("pip install 'polyphony-runner[otel]'")
        return None
    traces = Traces(exporting_provider(run))
    return traces, traces.close


def _together(observers: list[Observer]) -> Observer:
    def observe(event: Event, state: RunState) -> None:
        for observer in observers:
            observer(event, state)

    return observe
