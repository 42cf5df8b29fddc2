"""What can go wrong with a cluster (PLY2700 to PLY2711)."""

from __future__ import annotations

from polyphony_runner.journal.errors import JournalConflictError
from polyphony_schemas.errors import InputError


class ClusterError(InputError):
    """The cluster is not named, not reachable, or does not hold what was asked for."""


class LeaseLostError(JournalConflictError):
    """PLY2710: another worker took the run over; what this one still has to say is refused."""

    def __init__(self, run: str, owner: str | None) -> None:
        super().__init__(
            "PLY2710",
            f"the lease of the run {run!r} is {f'with {owner!r}' if owner else 'nobody’s'} now",
            hint="nothing is lost: the run goes on there; look with polyphony show",
        )


class StoppedError(ClusterError):
    """PLY2711: this process is to end while it waits for a server."""

    def __init__(self) -> None:
        super().__init__("PLY2711", "the worker was stopped while the database did not answer")
