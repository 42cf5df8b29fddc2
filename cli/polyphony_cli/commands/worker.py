"""``polyphony worker``: execute nodes for the cluster until told to stop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.cluster.worker import Worker


@click.command()
@click.option(
    "--slots",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="How many nodes to execute at the same time (default: one for each processor).",
)
@click.option("--name", metavar="NAME", help="What this worker is called; no two may share a name.")
@click.pass_obj
def command(console: Console, slots: int | None, name: str | None) -> int:
    """Work for the cluster that this machine names, until SIGTERM or Ctrl-C.

    Then nothing new is started, running nodes are finished and their runs handed over; a second signal leaves at
    once. Workers may come and go while runs go on. Secrets are looked up on this machine.
    """
    import asyncio
    import logging

    from polyphony_cli.cluster_verbs import settings_of
    from polyphony_cli.run_verbs import home_of
    from polyphony_runner.cluster.worker import Worker, worker_name
    from polyphony_runner.runtimes.sandboxed import SandboxedRuntime
    from polyphony_runner.sandbox.preflight import current_level

    settings, home = settings_of(console), home_of(console)
    level = current_level(home.root)  # no sandbox, no worker
    logging.basicConfig(
        level=logging.DEBUG if console.verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    places = slots or os.cpu_count() or 1
    worker = Worker(
        settings,
        home,
        lambda packages, artifacts: SandboxedRuntime(packages, artifacts, home, base=home.root, level=level),
        slots=places,
        name=name or worker_name(),
    )
    console.say(f"worker {worker.name}: {places} places, sandbox level {level}")
    asyncio.run(_work(console, worker))
    if console.as_json:
        console.document({"worker": worker.name, "slots": places})
    return 0


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
