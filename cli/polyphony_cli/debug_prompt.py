"""The words of ``polyphony debug``: one command a line, from a terminal, a file or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_cli.console import Console
from polyphony_cli.run_lines import first_line, node_line
from polyphony_runner.runs.signs import sign_of
from polyphony_schemas.errors import PolyphonyError, UsageError
from polyphony_schemas.names import did_you_mean

if TYPE_CHECKING:
    from polyphony_runner.runs.debugging import Debugger, Stop
    from polyphony_schemas.values import JsonValue

HELP = """\
step                   run the next node, then stop          (s, or an empty line)
continue               go on to the next breakpoint          (c)
break NODE             stop before NODE: lint, fix/lint for every round, fix[3]/lint for one   (b)
clear NODE             no longer stop there
breaks                 the breakpoints
nodes                  every node so far                     (n)
show NODE              what a node was given, what it gave   (p)
inputs                 the inputs of the run                 (i)
set NODE.PORT=VALUE    give a node its output; one that was seen by others makes a new run
set inputs.NAME=VALUE  another input; makes a new run
where                  where the run stands                  (w)
quit                   leave the run as it is; polyphony resume goes on   (q)"""
_SHORT = {
    "s": "step", "c": "continue", "b": "break", "n": "nodes", "p": "show", "i": "inputs", "w": "where",
    "q": "quit", "h": "help", "?": "help",
}  # fmt: skip


class QuitError(Exception):
    """The person leaves."""


class Prompt:
    """Carries out commands on a debugger and says what came of them; ``shown`` collects values for ``--json``."""

    def __init__(self, console: Console, debugger: Debugger) -> None:
        self._console = console
        self._debugger = debugger
        self.shown: list[JsonValue] = []
        self._commands: Mapping[str, Callable[[str], None]] = {
            "step": lambda _: self._go(step=True),
            "continue": lambda _: self._go(step=False),
            "break": self._break,
            "clear": self._clear,
            "breaks": lambda _: self._show("breakpoints", sorted(debugger.breakpoints)),
            "nodes": lambda _: self._nodes(),
            "show": self._show_node,
            "inputs": lambda _: self._inputs(),
            "set": self._set,
            "where": lambda _: self._say_stop(debugger.where()),
            "help": lambda _: console.say(HELP),
            "quit": self._quit,
        }

    @property
    def words(self) -> list[str]:
        """Everything that may be completed: commands and nodes."""
        return [*self._commands, *self._debugger.state.nodes]

    def carry_out(self, line: str) -> None:
        """One command. UsageError PLY2755 for an unknown one, what the command raises, ``QuitError`` at ``quit``."""
        word, _, rest = line.strip().partition(" ")
        name = _SHORT.get(word, word) or "step"
        found = [one for one in self._commands if one.startswith(name)]
        if name not in self._commands and len(found) != 1:
            raise UsageError(
                "PLY2755",
                f"there is no command {word!r}",
                hint=did_you_mean(word, self._commands) or "help lists the commands",
            )
        self._commands[name if name in self._commands else found[0]](rest.strip())

    def _go(self, *, step: bool) -> None:
        self._say_stop(self._debugger.go(step=step))

    def _say_stop(self, stop: Stop) -> None:
        if stop.node is not None:
            self._console.say(f"◆ before {stop.node}  (event {stop.seq})")
        else:
            self._console.say(f"{sign_of(stop.status)} {stop.run}  {stop.status}")

    def _break(self, node: str) -> None:
        self._debugger.stop_at(node)
        self._console.say(f"will stop before {node}")

    def _clear(self, node: str) -> None:
        self._debugger.breakpoints.discard(node)

    def _nodes(self) -> None:
        nodes = list(self._debugger.state.nodes.values())
        if self._console.as_json:
            self.shown.append({"nodes": {node.path: node.status for node in nodes}})
        for node in nodes:
            self._console.say(f"  {node_line(node)}")

    def _show_node(self, path: str) -> None:
        self._show(path, self._debugger.show(path))

    def _inputs(self) -> None:
        from polyphony_runner.conductor.values import loaded

        state = self._debugger.state
        self._show("inputs", loaded(state.inputs, state.reader))

    def _show(self, name: str, value: JsonValue) -> None:
        if self._console.as_json:
            self.shown.append({name: value})
        else:
            self._console.line(json.dumps(value, ensure_ascii=False, indent=1))

    def _set(self, text: str) -> None:
        self._console.say(self._debugger.set_value(text))

    def _quit(self, text: str) -> None:
        del text
        raise QuitError


def commands(script: Path | None, prompt: Prompt) -> Iterator[str]:
    """The lines of a script, of a pipe, or of a person at a terminal."""
    if script is not None:
        try:
            lines = script.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("PLY2755", f"the script {str(script)!r} cannot be read: {error}") from None
        yield from _without_comments(iter(lines))
    elif not sys.stdin.isatty():
        yield from _without_comments(sys.stdin)
    else:
        yield from _typed(prompt)


def lead(console: Console, prompt: Prompt, script: Path | None) -> None:
    """Carry out commands until they end or somebody quits. At a terminal an error is told and the next one awaited."""
    person = script is None and sys.stdin.isatty()
    for line in commands(script, prompt):
        try:
            prompt.carry_out(line)
        except QuitError:
            return
        except PolyphonyError as error:
            if not person:
                raise
            console.say(f"{first_line(error.message)}{f'; {error.hint}' if error.hint else ''}")


def _without_comments(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _typed(prompt: Prompt) -> Iterator[str]:
    import readline

    def complete(text: str, number: int) -> str | None:
        found = [word for word in prompt.words if word.startswith(text)]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
    while True:
        try:
            yield input("(debug) ")
        except EOFError:
            return
        except KeyboardInterrupt:
            sys.stderr.write("\n")
