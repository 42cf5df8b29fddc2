"""The box a node runs in: what it may see, reach and spend, enforced by the operating system.

``run_sandboxed(spec)`` runs one program to its end (``run``), ``decide_level()`` says what this machine can isolate
(``preflight``), ``interpreter_mounts(python)`` shows an interpreter inside, ``warm`` keeps forking workers.
"""

from polyphony_runner.sandbox.attending import Streams
from polyphony_runner.sandbox.interpreter import interpreter_mounts
from polyphony_runner.sandbox.preflight import LevelReport, current_level, decide_level
from polyphony_runner.sandbox.run import run_sandboxed
from polyphony_runner.sandbox.spec import Connection, Endpoint, Exit, Limits, Mount, SandboxSpec

__all__ = [
    "Connection",
    "Endpoint",
    "Exit",
    "LevelReport",
    "Limits",
    "Mount",
    "SandboxSpec",
    "Streams",
    "current_level",
    "decide_level",
    "interpreter_mounts",
    "run_sandboxed",
]
