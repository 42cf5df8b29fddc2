"""Tool environments of extensions: hash-locked, wheels only, built in a sandbox, shared and read-only."""

from polyphony_runner.environments.build import uv_binary
from polyphony_runner.environments.builder import Environment, Environments
from polyphony_runner.environments.interpreter import Interpreter

__all__ = ["Environment", "Environments", "Interpreter", "uv_binary"]
