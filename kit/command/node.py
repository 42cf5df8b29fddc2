"""Run one command in the folder it was given. What it prints is both log and output."""

from __future__ import annotations

import os
import subprocess

KEEP = 1 << 20  # characters of each stream that become an output


def tail(text):
    """The last ``KEEP`` characters, said so when something is missing."""
    return text if len(text) <= KEEP else f"[{len(text) - KEEP} characters left out]\n{text[-KEEP:]}"


def main(inputs, parameters, task, context):
    """Run ``argv``; a status outside ``ok`` is the error ``exit``."""
    argv = parameters["argv"]
    try:
        done = subprocess.run(
            argv,
            cwd=inputs.get("path") or None,
            env={**os.environ, **parameters["env"]},
            input=parameters["stdin"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        context.fail(
            "configuration", f"{argv[0]!r} is not in the sandbox; name it in the node's permissions under run"
        )
    except PermissionError as error:
        context.fail("configuration", f"{argv[0]!r} cannot be started: {error.strerror}")
    for line in (done.stdout + done.stderr).splitlines()[-200:]:
        context.log("info", line)
    if done.returncode not in parameters["ok"]:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
        context.fail("exit", f"{argv[0]} ended with status {done.returncode}: {last[0]}")
    return {"stdout": tail(done.stdout), "stderr": tail(done.stderr), "status": done.returncode}
