"""``run`` and ``resume`` with functions of this process in place of sandboxes: the victim of the fast kill test."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.folder import find_run
from polyphony_runner.runs.session import begin, take_up
from polyphony_runner.runtimes.protocol import Assignment, Sink
from polyphony_schemas.values import JsonObject


async def step(assignment: Assignment, sink: Sink) -> JsonObject:
    del sink
    await asyncio.sleep(0.05 + (sum(map(ord, assignment.node)) * 37 % 151) / 1000)
    line = f"{assignment.run} {assignment.node} {assignment.attempt}\n".encode()
    descriptor = os.open(Path(str(assignment.inputs["out"])) / "acts", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, line)
    os.close(descriptor)
    return {"value": 1}


def main(words: list[str]) -> int:
    home = Home.at()
    if words[0] == "run":
        options = dict(zip(words[2::2], words[3::2], strict=True))
        request = RunRequest(
            Path(words[1]), inputs=[options["--input"]], accept_permissions=options["--accept-permissions"]
        )
        session = begin(assemble(request, home), home)
    else:
        session = take_up(find_run(home.runs, words[1]), home)
    print(f"run {session.folder.run}", file=sys.stderr, flush=True)
    with session:
        state = session.execute(lambda *_: FunctionRuntime({"*": step}), lambda *_: None)
    return 0 if state.status == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
