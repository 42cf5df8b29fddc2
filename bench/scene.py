"""What the benches of packages stand on: a registry that is really served, an author, and homes of readers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLYPHONY = Path(sys.executable).with_name("polyphony")
TASKS = 40
STEP = """\
extension: v1
name: {name}
version: 1.0.0
kind: operator
summary: A known amount of work
license: Apache-2.0
inputs: {{n: {{schema: {{type: integer}}}}}}
outputs: {{value: {{schema: {{type: integer}}}}}}
run: {{python: "node:main", warm: {warm}}}
"""
NODE = """\
def fib(n):
    return n if n <= 1 else fib(n - 1) + fib(n - 2)


def main(inputs, parameters, task, context):
    return {"value": fib(inputs["n"])}
"""
WARM, COLD = "step", "cold-step"
HELLO, CHAIN, COLD_HELLO, COLD_CHAIN = "hello", "chain", "cold-hello", "cold-chain"


@dataclass(frozen=True, slots=True)
class Scene:
    """A served registry (``url``) with what ``published`` lists, all in the namespace ``ada``."""

    folder: Path
    url: str
    log_key: str

    def home(self, name: str) -> Path:
        """A new home that is bound to the registry."""
        home = self.folder / name
        call(
            home,
            "registry",
            "add",
            self.url,
            "--log-key",
            self.log_key,
            "--namespace",
            "ada",
            "--minimum-age",
            "0",
        )
        return home

    def installed(self, name: str, *packages: str) -> Path:
        """A new home with these packages installed."""
        home = self.home(name)
        call(home, "install", "--global", *(f"ada/{package}" for package in packages))
        return home


def call(home: Path, *words: str, stdin: str = "") -> Any:
    """Run ``polyphony --json`` and give its document."""
    done = subprocess.run(
        [POLYPHONY, "--json", "--home", home, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"polyphony {words[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


@contextmanager
def served_scene(folder: Path) -> Iterator[Scene]:
    """Make the registry below ``folder``, serve it on a free port, publish; end it with the block."""
    author = folder / "author"
    made = call(
        author, "registry", "init", "--data", str(folder / "data"),
        "--origin", "bench.example", "--owner", "ada", "--namespace", "ada",
    )  # fmt: skip
    with _serving(folder) as url:
        scene = Scene(folder, url, made["log_key"])
        call(author, "key", "new", "bench")
        call(author, "login", url, "--token-stdin", stdin=made["token"] + "\n")
        scene_home = author
        call(
            scene_home, "registry", "add", url, "--log-key", made["log_key"],
            "--namespace", "ada", "--minimum-age", "0",
        )  # fmt: skip
        _publish(author, folder, WARM, _step(WARM, "true"), "--enrol")
        _publish(author, folder, COLD, _step(COLD, "false"))
        for name, step, count in (
            (HELLO, WARM, 1),
            (CHAIN, WARM, TASKS),
            (COLD_HELLO, COLD, 1),
            (COLD_CHAIN, COLD, TASKS),
        ):
            call(author, "install", "--global", f"ada/{step}")
            _publish(author, folder, name, {"melody.yaml": melody(name, step, count)})
        yield scene


def melody(name: str, step: str, count: int) -> str:
    """A chain of ``count`` nodes that each compute fib(10)."""
    nodes = "".join(f"  n{i}: {{uses: ada/{step}@^1, with: {{n: 10}}}}\n" for i in range(count))
    wires = "".join(f"  - n{i - 1} -> n{i}\n" for i in range(1, count))
    head = f"melody: v1\nname: {name}\nversion: 1.0.0\nsummary: A chain of {count}\nlicense: Apache-2.0\n"
    return f"{head}nodes:\n{nodes}" + (f"connections:\n{wires}" if wires else "")


def _step(name: str, warm: str) -> dict[str, str]:
    return {"extension.yaml": STEP.format(name=name, warm=warm), "node.py": NODE}


def _publish(author: Path, folder: Path, name: str, files: dict[str, str], *words: str) -> None:
    tree = folder / "work" / name
    tree.mkdir(parents=True)
    for path, text in {**files, "README.md": f"# {name}\n"}.items():
        (tree / path).write_text(text)
    _git(tree, ["init", "--quiet", "--initial-branch=main"])
    _git(tree, ["add", "--all"])
    _git(
        tree, ["-c", "user.name=ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "Begin"]
    )
    call(author, "publish", str(tree), *words)


def _git(tree: Path, words: Sequence[str]) -> None:
    subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    with (folder / "serve.err").open("wb") as errors:
        process = subprocess.Popen(
            [POLYPHONY, "--json", "registry", "serve", "--port", "0", "--data", folder / "data"],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ.copy(),
        )
    assert process.stdout is not None
    try:
        text = b""
        for line in process.stdout:
            text += line
            if line == b"}\n":
                break
        yield str(json.loads(text)["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
