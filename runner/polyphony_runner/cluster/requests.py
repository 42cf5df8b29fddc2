"""What people ask of a run, as messages: the requests of the Conductor with a name and a JSON body each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.conductor.conductor import CancelRequest, Interrupt, Request
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest

_KINDS: dict[str, type[CancelRequest | SignalRequest | ApproveRequest | Interrupt]] = {
    "cancel": CancelRequest,
    "signal": SignalRequest,
    "approve": ApproveRequest,
    "interrupt": Interrupt,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode_request(request: Request) -> tuple[str, str]:
    """Kind and body of a message."""
    return _NAMES[type(request)], json.dumps(asdict(request))


def decode_request(kind: str, body: str) -> Request:
    """The request of a message; PLY2705 for one this version does not know."""
    fields: dict[str, Any] = json.loads(body)
    try:
        return _KINDS[kind](**fields)
    except (KeyError, TypeError):
        raise ClusterError(
            "PLY2705",
            f"a request {kind!r} that this version does not know",
            hint="upgrade polyphony on the workers",
        ) from None
