"""The copy of a cluster's run made to behave like a run that another process of this machine executes.

While a relay is open the copy's journal is locked as an executing process locks it, grows as the run goes on, and
requests left in the copy's ``control/`` folder are brought to the cluster. So everything that reads, waits or asks
needs to know nothing of clusters.
"""

from __future__ import annotations

import fcntl
import os
import threading
from types import TracebackType
from typing import Self

from polyphony_runner.cluster.client import Cluster
from polyphony_runner.runs.control import taken_requests
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.errors import PolyphonyError

_PAUSE = 0.05


class Relay:
    """Between the copy of a run in ``folder`` and the cluster, in a thread of its own."""

    def __init__(self, cluster: Cluster, folder: RunFolder) -> None:
        self._cluster = cluster
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._relay, name="relay", daemon=True)
        self._lock = os.open(folder.journal, os.O_RDONLY | os.O_CLOEXEC)
        self.problem: PolyphonyError | None = None

    def __enter__(self) -> Self:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._lock)

    def _relay(self) -> None:
        """Until stopped; when the cluster fails, the copy looks like a run whose process died."""
        try:
            while not self._stopping.is_set():
                for request in taken_requests(self._folder):
                    self._cluster.ask(self._folder.run, request)
                self._cluster.mirror(self._folder.run)
                self._stopping.wait(_PAUSE)
        except PolyphonyError as error:
            self.problem = error
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
