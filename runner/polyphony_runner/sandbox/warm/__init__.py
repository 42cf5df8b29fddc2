"""Warm workers: a fork server inside one sandbox, so that a Python node costs milliseconds instead of a start.

``WarmPool.call`` outside (``pool``, ``worker``, ``call``), ``server.py`` inside. Import code of the extension runs in
the server, so the hardening protects one call from the *data* of another, not from the extension: workers are never
shared across owners or grants. The key says so.
"""

from polyphony_runner.sandbox.warm.call import Request
from polyphony_runner.sandbox.warm.pool import WarmPool
from polyphony_runner.sandbox.warm.worker import WarmSpec

__all__ = ["Request", "WarmPool", "WarmSpec"]
