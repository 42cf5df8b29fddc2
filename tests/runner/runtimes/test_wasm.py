"""WebAssembly: a WASI command sees what it is granted, spends what it may, and fails by the same kinds as any node."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.runtimes import wasm
from polyphony_runner.runtimes.protocol import Outcome, Success
from polyphony_schemas.graph.model import Limits
from support.runtimes_nodes import Bench

pytest.importorskip("wasmtime")
from support.wasm_programs import FOREVER, GROW, WasmProgram

ANY: dict[str, object] = {"schema": {}}
PATH: dict[str, object] = {"schema": {"type": "string", "format": "path"}}
OPENING = '{"type":"result","outputs":{"said":"'
NOTHING = '{"type":"result","outputs":{}}'
# What a command finds open beside its three streams; what it is granted follows.
WORK, TEMPORARY, EXTENSION, GRANTED = 3, 5, 6, 7


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def command(bench: Bench, program: WasmProgram, **manifest: Any) -> str:
    files = {"node.wasm": program.bytes(), **manifest.pop("files", {})}
    outputs = manifest.pop("outputs", {"said": ANY})
    name = f"wasm-{len(bench.packages)}"
    return bench.extension(name, files, run={"wasm": "node.wasm"}, outputs=outputs, **manifest)


def reading(folder: int, path: str) -> WasmProgram:
    """Says what stands in a file; ends with the number of the error when it cannot be opened."""
    program = WasmProgram().open(folder, path).exit_by_errno().say(OPENING, end="").hear_opened()
    return program.repeat().say('"}}')


def test_a_command_reads_its_request_and_files_of_its_extension(bench: Bench) -> None:
    uses = command(bench, reading(EXTENSION, "data/word.txt"), files={"data/word.txt": "inside\n"})
    assert bench.succeed(uses) == {"said": "inside"}


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("granted", ["folder", "folder/word.txt"])
def test_a_command_reads_what_it_is_granted(bench: Bench, granted: str, unsafe: bool) -> None:
    (bench.work / "folder").mkdir()
    (bench.work / "folder/word.txt").write_text("granted\n")
    (bench.work / "folder/other.txt").write_text("not granted\n")
    uses = command(bench, reading(GRANTED - unsafe, "word.txt"), inputs={"path": PATH})
    grants = {"read": (granted,)}
    given = {"inputs": {"path": granted}, "grants": grants, "allow_unsandboxed": unsafe}
    assert bench.succeed(uses, **given) == {"said": "granted"}
    other = command(bench, reading(GRANTED - unsafe, "other.txt"), inputs={"path": PATH})
    outcome = bench.go(other, **given)
    assert isinstance(outcome, Success) == (granted == "folder")


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "link", "../project/secret.txt"])
def test_a_command_does_not_leave_its_folders(bench: Bench, path: str) -> None:
    (bench.work / "secret.txt").write_text("secret\n")
    (bench.work / "folder").mkdir()
    (bench.work / "folder/link").symlink_to(bench.work / "secret.txt")
    uses = command(bench, reading(GRANTED, path), inputs={"path": PATH})
    for unsafe in (False, True):
        folder = reading(GRANTED - unsafe, path)
        uses = command(bench, folder, inputs={"path": PATH})
        given = {"inputs": {"path": "folder"}, "grants": {"read": ("folder",)}}
        assert bench.fail(uses, **given, allow_unsandboxed=unsafe).kind == "exit"


def test_a_folder_to_read_cannot_be_written_and_one_to_write_can(bench: Bench) -> None:
    (bench.work / "folder").mkdir()
    write = WasmProgram().open(GRANTED, "new", create=True).exit_by_errno().say(NOTHING)
    uses = command(bench, write, inputs={"path": PATH})
    failure = bench.fail(uses, inputs={"path": "folder"}, grants={"read": ("folder",)})
    assert failure.kind == "exit"
    below = WasmProgram().open(WORK, "folder/new", create=True).exit_by_errno().say(NOTHING)
    uses = command(bench, below, inputs={"path": PATH})
    bench.succeed(uses, inputs={"path": "folder"}, grants={"write": ("folder",)})
    assert (bench.work / "folder/new").exists()


def test_files_leave_as_artifacts(bench: Bench) -> None:
    file = {"schema": {"$ref": "urn:polyphony:file"}}
    write = WasmProgram().open(GRANTED, "file", create=True).exit_by_errno().say(NOTHING)
    outputs = bench.succeed(command(bench, write, outputs={"file": file}))
    assert outputs["file"]["size"] == 0  # type: ignore[index,call-overload]  # a reference


@pytest.mark.parametrize("unsafe", [False, True])
def test_a_granted_secret_is_a_file_and_is_masked(bench: Bench, unsafe: bool) -> None:
    bench.secrets["TOKEN"] = "hidden-word"
    # the end of a line is what the helper cuts off
    folder, path = (GRANTED - 1, "TOKEN") if unsafe else (TEMPORARY, ".secrets/TOKEN")
    uses = command(bench, reading(folder, path))
    outputs = bench.succeed(uses, grants={"secrets": ("TOKEN",)}, allow_unsandboxed=unsafe)
    assert outputs == {"said": "hidden-wor"}


@pytest.mark.parametrize(
    ("act", "limits", "kind"),
    [
        (FOREVER, Limits(timeout_ms=1500), "timeout"),
        (FOREVER, Limits(timeout_ms=60_000, cpu_ms=1000), "cpu"),
        (GROW, Limits(timeout_ms=60_000, memory=256 << 20), "memory"),
        ("(drop (i32.div_s (i32.const 1) (local.get $at)))", Limits(), "crash"),
        ("(call $exit (i32.const 4))", Limits(), "exit"),
        ("", Limits(), "protocol"),
    ],
)
@pytest.mark.parametrize("unsafe", [False, True])
def test_how_a_command_ends(bench: Bench, act: str, limits: Limits, kind: str, unsafe: bool) -> None:
    uses = command(bench, WasmProgram().act(act))
    failure = bench.fail(uses, limits=limits, allow_unsandboxed=unsafe)
    assert failure.kind == kind, failure


def test_too_much_output_is_an_error_of_kind_output(bench: Bench) -> None:
    endless = WasmProgram().act(
        "(loop $again (call $put (i32.const 1) (i32.const 0) (i32.const 65536)) (br $again))"
    )
    assert bench.fail(command(bench, endless)).kind == "output"


def test_a_module_that_is_none_or_no_command_says_so(bench: Bench) -> None:
    from wasmtime import wat2wasm

    none = bench.extension("none", {"node.wasm": b"\0asm but no more"}, run={"wasm": "node.wasm"})
    library = bench.extension(
        "library", {"node.wasm": bytes(wat2wasm("(module)"))}, run={"wasm": "node.wasm"}
    )
    asking = '(module (import "env" "help" (func)) (func (export "_start")))'
    lacking = bench.extension("lacking", {"node.wasm": bytes(wat2wasm(asking))}, run={"wasm": "node.wasm"})
    words = ("is no WebAssembly module", "no function _start", "env::help")
    for uses, expected in zip((none, library, lacking), words, strict=True):
        failure = bench.fail(uses)
        assert failure.kind == "exit"
        assert expected in str(failure.trace)


def test_without_the_engine_a_command_is_unavailable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wasm.engine_folder.cache_clear()
    monkeypatch.setattr(wasm, "find_spec", lambda name: None)
    failure = bench.fail(command(bench, WasmProgram().say(NOTHING)))
    assert (failure.kind, failure.details["code"]) == ("unavailable", "PLY3755")
    assert "polyphony-runner[wasm]" in str(failure.details["hint"])


def test_calls_share_a_compiled_module_and_no_memory(bench: Bench) -> None:
    count = "(i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))"
    fresh = "(if (i32.ne (i32.load (i32.const 512)) (i32.const 1)) (then (unreachable)))"
    uses = command(bench, WasmProgram().hear().act(count).act(fresh).say(NOTHING))

    async def run() -> tuple[list[Outcome], float]:
        try:
            first = await bench.run(uses)
            began = time.monotonic()
            return [first, *[await bench.run(uses) for _ in range(5)]], time.monotonic() - began
        finally:
            await bench.runtime.close()

    outcomes, seconds = asyncio.run(run())
    print("warm wasm call", seconds / 5)
    assert all(isinstance(outcome, Success) for outcome in outcomes), outcomes
