"""The bench ``cached200``: an unchanged melody of 200 pure nodes, run again from another checkout."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rounds import Sample, Subject, timed

NODES = 200
EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
pure: true
inputs: {n: {schema: {type: integer}}, tree: {schema: {type: string, format: path}, required: false}}
outputs: {value: {schema: {type: integer}}}
permissions: {read: granted}
run: {python: "node:main"}
"""
FILES = 50


@contextlib.contextmanager
def cached200() -> Iterator[Mapping[str, Subject]]:
    """Nothing is executed: a chain, all at once, and all at once with a granted folder of 50 files each."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        yield {
            f"{NODES} pure nodes, one after the other": _again(folder / "chain", _chain()),
            f"{NODES} pure nodes at once": _again(folder / "fan", _fan("")),
            f"{NODES} pure nodes at once, each reads {FILES} files": _again(
                folder / "files",
                _fan(', tree: src}, permissions: {read: ["src"]'),
                'config: {permissions: {read: ["src"]}}\n',
            ),
        }


def _again(folder: Path, nodes: str, config: str = "") -> Subject:
    """Runs in checkouts of the same content: the first fills the cache (the warm-up), every later one is another."""
    from polyphony_runner.home import Home
    from polyphony_runner.runs.assemble import RunRequest, assemble
    from polyphony_runner.runs.session import begin
    from polyphony_runner.runtimes.protocol import Assignment, Outcome, Sink, Success

    home = Home.at(folder / "home")  # equal content would be found across the subjects too
    executed: list[str] = []

    class Counting:
        """Succeeds at once, and counts. A fake at the Runtime seam: no program is started."""

        async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
            """Add one."""
            del sink
            executed.append(assignment.node)
            return Success({"value": int(str(assignment.inputs["n"])) + 1})

        async def close(self) -> None:
            """Nothing to end."""

    checkouts = 0

    def run() -> Sample:
        nonlocal checkouts
        checkouts += 1
        place = _checkout(folder / str(checkouts), f"{config}nodes:\n{nodes}")
        request = RunRequest(place, work=place, ask=lambda _lines, _digest: True)
        assembled = assemble(request, home)
        before = len(executed)

        def work() -> None:
            with begin(assembled, home) as session:
                state = session.execute(lambda *_: Counting(), lambda _event, _state: None)
            assert state.status == "succeeded", state.error

        sample = timed(work)
        assert len(executed) - before == (NODES if checkouts == 1 else 0), "an unchanged run executes nothing"
        return sample

    return run


def _checkout(place: Path, body: str) -> Path:
    (place / "step").mkdir(parents=True)
    (place / "src").mkdir()
    for number in range(FILES):
        (place / "src" / f"file{number}.txt").write_text(f"{number}\n" * 100)
    (place / "step" / "extension.yaml").write_text(EXTENSION)
    (place / "step" / "node.py").write_text("def main(inputs, parameters, task, context): ...\n")
    (place / "melody.yaml").write_text(f"melody: v1\nname: cached\nversion: 1.0.0\n{body}")
    return place


def _chain() -> str:
    first = "  n0: {uses: ./step, with: {n: 0}}\n"
    return first + "".join(
        f'  n{i}: {{uses: ./step, with: {{n: "${{ n{i - 1}.value }}"}}}}\n' for i in range(1, NODES)
    )


def _fan(further: str) -> str:
    return "".join(f"  n{i}: {{uses: ./step, with: {{n: {i}{further}}}}}\n" for i in range(NODES))
