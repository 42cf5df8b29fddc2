"""Run one command in the folder it was given. What it prints is both log and output."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

KEEP = 100_000  # characters of each stream that become an output
LOGGED = 200  # lines


class Inputs(TypedDict, total=False):
    """``path`` is the folder the command starts in; without it, the empty work folder."""

    path: str


class Parameters(TypedDict):
    """The words of the command and what surrounds it."""

    argv: list[str]
    ok: list[int]
    env: dict[str, str]
    stdin: str


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Run ``argv``; a status outside ``ok`` is the error ``exit``."""
    done = run(inputs.get("path"), parameters, context)
    for line in (done.stdout + done.stderr).splitlines()[-LOGGED:]:
        context.log(line)
    if done.returncode not in parameters["ok"]:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        last = f": {said[-1]}" if said else ""
        context.fail("exit", f"{parameters['argv'][0]} ended with status {done.returncode}{last}")
    return {"stdout": tail(done.stdout), "stderr": tail(done.stderr), "status": done.returncode}


def run(folder: str | None, parameters: Parameters, context: Context) -> subprocess.CompletedProcess[str]:
    """Start the command and wait for it."""
    program = parameters["argv"][0]
    try:
        return subprocess.run(
            parameters["argv"],
            cwd=folder,
            env={**os.environ, **parameters["env"]},
            input=parameters["stdin"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        context.fail("configuration", f"{program!r} is not in the sandbox: name it under run at the node")
    except PermissionError as error:
        context.fail("configuration", f"{program!r} cannot be started: {error.strerror}")


def tail(text: str) -> str:
    """The last ``KEEP`` characters, said so when something is missing."""
    return text if len(text) <= KEEP else f"[{len(text) - KEEP} characters left out]\n{text[-KEEP:]}"
