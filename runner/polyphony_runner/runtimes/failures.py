"""The one exception of this part: a node could not be prepared, run or believed.

``NodeError`` never leaves a ``Runtime``: ``as_failure`` turns it into the typed ``Failure`` of the seam, with the
stable code and the hint in its details.
"""

from __future__ import annotations

from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.values import ErrorKind

# Kinds that an extension's own ``error`` line may claim (docs/runtimes.md); any other is recorded as ``exit``.
CLAIMABLE = frozenset({"configuration", "validation", "exit", "network", "model", "dependency"})

# Running the same attempt again cannot help against these.
_FINAL = frozenset({"configuration", "validation", "expression", "permission", "unavailable", "internal"})


class NodeError(PolyphonyError):
    """A node's failure on its way to the Conductor; ``kind`` is one of the error kinds of docs/melody.md."""

    def __init__(
        self,
        kind: ErrorKind,
        code: str,
        message: str,
        *,
        hint: str = "",
        trace: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.kind: ErrorKind = kind
        self.trace = trace
        self.retryable = kind not in _FINAL if retryable is None else retryable

    def as_failure(self, seconds: float = 0.0) -> Failure:
        """The same as a value of the seam."""
        details = {"code": self.code, "hint": self.hint} if self.hint else {"code": self.code}
        return Failure(self.kind, self.message, self.trace, self.retryable, seconds, details)
