"""A run that has something of everything for its report: retries, a fallback, a map, a loop, costs, logs, failures."""

from __future__ import annotations

import asyncio
from pathlib import Path

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.home import Home
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Sink
from polyphony_schemas.values import JsonObject
from support.cached_runs import Runner, package

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {"*": {schema: {}}}
outputs: {value: {schema: {}}, file: {schema: {$ref: "urn:polyphony:file"}}}
run: {python: "node:main"}
"""
NODES = """\
inputs: {words: {schema: {type: string}, default: hello}}
nodes:
  scan_the_repository: {uses: ./step, with: {words: "${ inputs.words }"}}
  flaky: {uses: ./step, with: {after: "${ scan_the_repository.value }"}, on_error: {retry: {max: 2, delay: 20ms}}}
  each:
    for_each: {items: "${ [scan_the_repository.value, 2, 3] }", as: item, parallel: 2}
    nodes: {check: {uses: ./step, with: {item: "${ item }", after: "${ index }"}}}
    outputs: {value: "${ check.value }"}
  refine:
    until: "round >= 1"
    max: 3
    nodes: {draft: {uses: ./step, with: {n: "${ round }"}}}
    outputs: {value: "${ draft.value }"}
    when: flaky.value != ''
  first_try: {uses: ./step, with: {after: "${ flaky.value }"}, on_error: {fallback: [second_try]}}
  second_try: {uses: ./step}
  lint: {uses: ./step, with: {after: "${ each.value }"}, on_error: {skip: true}}
  left_out: {uses: core/set, with: {v: 1}, when: "inputs.words == 'nothing'"}
  broken: {uses: ./step, with: {after: "${ refine.value }"}}
outputs: {value: "${ first_try.value }", file: "${ scan_the_repository.file }"}
"""
# No slash: it becomes a file's name too.
HOSTILE = "'\"><script>alert(1)<img src=x onerror=alert(2)>"
TRACE = "Traceback (most recent call last):\n" + "".join(
    f'  File "node.py", line {line}, in main\n' for line in range(30)
)


def rich_run(folder: Path, words: str = "hello") -> RunFolder:
    """Run it; gives its folder, with the journal of a run that failed."""
    home = Home.at(folder / "home")
    store = FolderArtifacts(home.artifacts)

    async def act(assignment: Assignment, sink: Sink) -> Outcome | JsonObject:
        name = assignment.node.rpartition("/")[2]
        sink(NodeEvent("log", {"level": "info", "message": f"{name} begins: {words}"}))
        await asyncio.sleep(0.03)
        match name:
            case "scan_the_repository":
                usage: JsonObject = {
                    "model": "small",
                    "input_tokens": 1200,
                    "output_tokens": 80,
                    "usd": "0.0042",
                }
                sink(NodeEvent("usage", usage))
                kept = store.put_bytes(words.encode())
                file: JsonObject = {
                    "digest": kept.digest,
                    "name": f"{words}.txt",
                    "media_type": "text/plain",
                    "size": kept.size,
                }
                return {"value": words, "file": file}
            case "flaky" if assignment.attempt < 3:
                return Failure("network", "the host did not answer", retryable=True)
            case "first_try":
                return Failure("model", f"no answer: {words}", retryable=False)
            case "lint" | "broken":
                sink(NodeEvent("log", {"level": "error", "message": f"cannot go on {words}"}))
                return Failure("exit", f"status 3 {words}", trace=TRACE + words, retryable=False)
        return {"value": assignment.node}

    runner = Runner(home, act=act)
    ran = runner.run(package(folder / "melody", NODES, EXTENSION), f"words={words}", cache=False)
    assert ran.state.status == "failed", ran.state.error
    return ran.session.folder
