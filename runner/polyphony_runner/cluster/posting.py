"""A signal to every other unfinished run of the same melody: one message for each, and the bell."""

from __future__ import annotations

from polyphony_runner.cluster import messages
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.doorbell import Doorbell
from polyphony_runner.cluster.leases import UNFINISHED
from polyphony_runner.cluster.requests import encode_request
from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.requests import SignalRequest
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.conductor.values import load

_OTHERS = """
SELECT other.run FROM runs AS other JOIN runs AS sender USING (package)
WHERE sender.run = %s AND other.run <> sender.run AND other.status = ANY(%s)
"""


def unfinished_runs(database: Database, package: str) -> list[str]:
    """The unfinished runs of a package."""
    rows = database.rows(
        "SELECT run FROM runs WHERE package = %s AND status = ANY(%s) ORDER BY run",
        (package, list(UNFINISHED)),
    )
    return [str(row[0]) for row in rows]


async def post_to_melody(
    database: Database, bell: Doorbell, values: ValueStore, run: str, signal: Signal
) -> int:
    """Bring a signal to the others; how many it reached."""
    request = SignalRequest(
        signal.id, signal.name, load(signal.payload, values), signal.persistent, signal.source
    )
    kind, body = encode_request(request)
    others = [str(row[0]) for row in database.rows(_OTHERS, (run, list(UNFINISHED)))]
    bell.tell([messages.post(database, other, kind, body) for other in others])
    return len(others)
