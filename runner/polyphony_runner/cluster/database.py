"""One connection to PostgreSQL that outlives restarts of the server.

Everything that is sent is either harmless to send twice or finds out what became of the first try, because a
connection that breaks does not say whether the statement took effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from polyphony_runner.cluster.errors import ClusterError, StoppedError
from polyphony_runner.cluster.schema import migrate

if TYPE_CHECKING:
    from psycopg import Connection

Row = tuple[Any, ...]
Parameters = Sequence[object] | Mapping[str, object]
Answer = TypeVar("Answer")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_CONNECT_SECONDS = 5
# A server that was never reached is more likely misnamed than restarting.
_FIRST_PATIENCE = 5.0
# Every statement of ours finds its rows by an index; the small tables that change all the time have no statistics that
# would tell the planner so.
_SETTINGS = (
    "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000 -c enable_seqscan=off -c jit=off"
)


class Database:
    """A connection for one thread. ``patience`` seconds are spent on connecting again, None for as long as it takes."""

    def __init__(self, url: str, *, patience: float | None = None) -> None:
        self._url = url
        self._patience = patience
        self._connection: Connection[Row] | None = None
        self.stopped = False

    def connect(self, *, upgrade: bool = True) -> None:
        """Connect now, and make or upgrade the tables; PLY2702 when the server cannot be reached."""
        patience, self._patience = self._patience, _FIRST_PATIENCE
        try:
            connection = self._open()
        finally:
            self._patience = patience
        if upgrade:
            migrate(connection)

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Send one statement that may be sent twice, and give what it answers."""
        return self.retrying(lambda connection, _again: _fetch(connection, statement, parameters))

    def retrying(self, act: Callable[[Connection[Row], bool], Answer]) -> Answer:
        """Call ``act(connection, again)``, anew with ``again`` when the connection broke on the way."""
        import psycopg

        again = False
        while True:
            connection = self._open()
            try:
                return act(connection, again)
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                again = True
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not connection.broken and not connection.closed:
                    raise
                self._connection = None
                again = True

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection[Row]:
        import psycopg

        if self._connection is not None and not self._connection.closed:
            return self._connection
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=_CONNECT_SECONDS,
                    options=_SETTINGS,
                    application_name="polyphony",
                )
            except psycopg.OperationalError as error:
                if self.stopped:
                    raise StoppedError from error
                if self._patience is not None and time.monotonic() - began > self._patience:
                    raise _unreachable(self._url, error) from error
            except psycopg.ProgrammingError as error:
                raise _unreachable(self._url, error) from error
            else:
                return self._connection
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _fetch(connection: Connection[Row], statement: str, parameters: Parameters) -> list[Row]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description is not None else []


def _unreachable(url: str, error: Exception) -> ClusterError:
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
        where = f"{parts.get('host', 'the local socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    except Exception:  # noqa: BLE001  # the address itself cannot be read: never show it, it may hold a password
        where = "an address that cannot be read"
    said = str(error).strip().splitlines()[-1:] or [""]
    return ClusterError(
        "PLY2702",
        f"the cluster's database at {where} cannot be used: {said[0]}",
        hint="start PostgreSQL, and check cluster.database in config.yaml or POLYPHONY_CLUSTER_DATABASE",
    )
