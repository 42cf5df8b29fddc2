"""``polyphony worker``: execute nodes for the cluster until told to stop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError

if TYPE_CHECKING:
    from polyphony_runner.cluster.worker import Worker
    from polyphony_runner.observe.metrics import Metrics


@click.command()
@click.option(
    "--slots",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="How many nodes to execute at the same time (default: one for each processor).",
)
@click.option("--name", metavar="NAME", help="What this worker is called; no two may share a name.")
@click.option(
    "--metrics-port",
    metavar="[HOST:]PORT",
    help="Serve /metrics for Prometheus there (HOST: 127.0.0.1).",
)
@click.pass_obj
def command(console: Console, *, slots: int | None, name: str | None, metrics_port: str | None) -> int:
    """Work for the cluster that this machine names, until SIGTERM or Ctrl-C.

    Then nothing new is started, running nodes are finished and their runs handed over; a second signal leaves at
    once. Workers may come and go while runs go on. Secrets are looked up on this machine.
    """
    import asyncio
    import logging

    from polyphony_cli.cluster_verbs import settings_of
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.cluster.worker import Worker, worker_name
    from polyphony_runner.observe.structured import JsonFormatter
    from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
    from polyphony_runner.sandbox.preflight import current_level

    settings, home = settings_of(console), home_of(console)
    level = current_level(home.root)  # no sandbox, no worker
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter() if console.log_json else logging.Formatter("%(levelname)s %(message)s")
    )
    logging.basicConfig(level=logging.DEBUG if console.verbose else logging.WARNING, handlers=[handler])
    places = slots or os.cpu_count() or 1
    with _metrics(metrics_port) as (metrics, served):
        worker = Worker(
            settings,
            home,
            lambda packages, artifacts: SandboxedRuntime(
                packages, artifacts, home, base=home.root, level=level, places=places
            ),
            slots=places,
            name=name or worker_name(),
            metrics=metrics,
        )
        console.say(f"worker {worker.name}: {places} places, sandbox level {level}")
        if served:
            console.say(f"metrics at {served}")
        asyncio.run(_work(console, worker))
    if console.as_json:
        console.document({"worker": worker.name, "slots": places})
    return 0


@contextmanager
def _metrics(port: str | None) -> Iterator[tuple[Metrics | None, str]]:
    """What counts, and the address where it is served; PLY2852 when that cannot be had."""
    if port is None:
        yield None, ""
        return
    from polyphony_runner.observe.metrics import Metrics
    from polyphony_runner.observe.serving import serving

    metrics, (host, number) = Metrics(), _address(port)
    with ExitStack() as stack:
        try:
            bound = stack.enter_context(serving(metrics.text, host, number))
        except OSError as error:
            raise PolyphonyError(
                "PLY2852",
                f"metrics cannot be served at {port!r}: {(error.strerror or str(error)).lower()}",
                hint="name a free port of an address of this machine",
            ) from error
        yield metrics, f"http://{host}:{bound}/metrics"


def _address(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST:]PORT``."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is no [HOST:]PORT", param_hint="--metrics-port")
    return host or "127.0.0.1", int(port)


async def _work(console: Console, worker: Worker) -> None:
    import asyncio
    import signal

    loop = asyncio.get_running_loop()

    def stop(number: int, frame: object) -> None:
        # Not the loop's own handlers: they would not be heard while the loop waits for the database.
        del number, frame
        worker.heed_signal()
        loop.call_soon_threadsafe(drain)

    def drain() -> None:
        console.say("stopping: running nodes are finished first; once more leaves at once")
        worker.drain()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        await worker.work()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
