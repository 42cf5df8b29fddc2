"""WebAssembly: a WASI command sees what it is granted, spends what it may, and fails by the same kinds as any node."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.runtimes import wasm
from polyphony_runner.runtimes.protocol import Outcome, Success
from polyphony_runner.sandbox.landlock import OLDEST_ABI, abi
from polyphony_runner.sandbox.spec import Level
from polyphony_schemas.graph.model import Limits
from support.runtimes_nodes import Bench
from support.wasm_programs import FOREVER, GROW, WasmProgram

ANY: dict[str, object] = {"schema": {}}
PATH: dict[str, object] = {"schema": {"type": "string", "format": "path"}}
OPENING = '{"type":"result","outputs":{"said":"'
NOTHING = '{"type":"result","outputs":{}}'
# What a command finds open beside its three streams; what it is granted follows.
WORK, TEMPORARY, EXTENSION, GRANTED = 3, 5, 6, 7


LEVELS: tuple[Level | None, ...] = (None, "wasm", "none") + (("landlock",) if abi() >= OLDEST_ABI else ())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(params=LEVELS)
def at_level(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, level=request.param)


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


@pytest.mark.parametrize("granted", ["folder", "folder/word.txt"])
def test_a_command_reads_what_it_is_granted(at_level: Bench, granted: str) -> None:
    bench = at_level
    (bench.work / "folder").mkdir()
    (bench.work / "folder/word.txt").write_text("granted\n")
    (bench.work / "folder/other.txt").write_text("not granted\n")
    uses = command(bench, reading(GRANTED, "word.txt"), inputs={"path": PATH})
    grants = {"read": (granted,)}
    given = {"inputs": {"path": granted}, "grants": grants}
    assert bench.succeed(uses, **given) == {"said": "granted"}
    other = command(bench, reading(GRANTED, "other.txt"), inputs={"path": PATH})
    outcome = bench.go(other, **given)
    assert isinstance(outcome, Success) == (granted == "folder")


def test_a_command_does_not_leave_its_folders(at_level: Bench) -> None:
    bench = at_level
    (bench.work / "secret.txt").write_text("secret\n")
    (bench.work / "folder").mkdir()
    (bench.work / "folder/link").symlink_to(bench.work / "secret.txt")
    program = WasmProgram()
    for path in ("../etc/passwd", "/etc/passwd", "link", "../project/secret.txt", "..", "/"):
        program.open(GRANTED, path).act("(if (i32.eqz (local.get $at)) (then (call $exit (i32.const 99))))")
    uses = command(bench, program.say(NOTHING), inputs={"path": PATH})
    bench.succeed(uses, inputs={"path": "folder"}, grants={"read": ("folder",)})


def test_a_folder_to_read_cannot_be_written_and_one_to_write_can(at_level: Bench) -> None:
    bench = at_level
    (bench.work / "folder").mkdir()
    write = WasmProgram().open(GRANTED, "new", create=True).exit_by_errno().say(NOTHING)
    uses = command(bench, write, inputs={"path": PATH})
    failure = bench.fail(uses, inputs={"path": "folder"}, grants={"read": ("folder",)})
    assert failure.kind == "exit"
    below = WasmProgram().open(WORK, "folder/new", create=True).exit_by_errno().say(NOTHING)
    uses = command(bench, below, inputs={"path": PATH})
    bench.succeed(uses, inputs={"path": "folder"}, grants={"write": ("folder",)})
    assert (bench.work / "folder/new").exists()


@pytest.mark.parametrize("granted", ["folder", "folder/new"])
def test_a_direct_grant_is_the_file_itself(at_level: Bench, granted: str) -> None:
    bench = at_level
    (bench.work / "folder").mkdir()
    (bench.work / "folder/new").write_text("old")
    single, apart = granted != "folder", bench.level is None
    # with a file system of its own it is seen in /ws; else a folder is one more
    folder, path = (WORK, "new" if single else "folder/new") if apart else (GRANTED, "new")
    opened = WasmProgram().open(folder, path, create=True).exit_by_errno()
    write = opened.act("(call $put (i32.load (i32.const 12)) (i32.const 0) (i32.const 3))").say(NOTHING)
    uses = command(bench, write, inputs={"path": PATH})
    given = {"inputs": {"path": granted}, "grants": {"write": ({"path": granted, "mode": "direct"},)}}
    if single and not apart:
        assert bench.fail(uses, **given).details["code"] == "PLY3756"
        return
    bench.succeed(uses, **given)
    assert (bench.work / "folder/new").read_text() != "old"


def test_a_view_that_is_a_copy_leaves_the_original_alone(at_level: Bench) -> None:
    bench = at_level
    (bench.work / "folder").mkdir()
    write = WasmProgram().open(GRANTED, "new", create=True).exit_by_errno().say(NOTHING)
    uses = command(bench, write, inputs={"path": PATH})
    bench.succeed(uses, inputs={"path": "folder"}, grants={"read": ({"path": "folder", "view": "copy"},)})
    assert not (bench.work / "folder/new").exists()


@pytest.mark.parametrize("level", ["wasm", "landlock"])
def test_protected_files_that_nothing_can_keep_read_only_refuse_the_node(
    tmp_path: Path, level: Level
) -> None:
    bench = Bench(tmp_path, level=level)
    (bench.work / "folder/.git").mkdir(parents=True)
    uses = command(bench, WasmProgram().say(NOTHING), inputs={"path": PATH})
    grants = {"write": ({"path": "folder", "mode": "direct"},)}
    failure = bench.fail(uses, inputs={"path": "folder"}, grants=grants)
    assert (failure.kind, failure.details["code"]) == ("unavailable", "PLY3800")


def test_files_leave_as_artifacts(at_level: Bench) -> None:
    bench = at_level
    file = {"schema": {"$ref": "urn:polyphony:file"}}
    write = WasmProgram().open(GRANTED, "file", create=True).exit_by_errno().say(NOTHING)
    outputs = bench.succeed(command(bench, write, outputs={"file": file}))
    assert outputs["file"]["size"] == 0  # type: ignore[index,call-overload]  # a reference


def test_a_granted_secret_is_a_file_and_is_masked(at_level: Bench) -> None:
    bench = at_level
    bench.secrets["TOKEN"] = "hidden-word"
    # the end of a line is what the helper cuts off
    apart = bench.level is None
    uses = command(bench, reading(TEMPORARY if apart else GRANTED, ".secrets/TOKEN" if apart else "TOKEN"))
    assert bench.succeed(uses, grants={"secrets": ("TOKEN",)}) == {"said": "hidden-wor"}


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
@pytest.mark.parametrize("level", [None, "wasm"])
def test_how_a_command_ends(tmp_path: Path, level: Level | None, act: str, limits: Limits, kind: str) -> None:
    bench = Bench(tmp_path, level=level)
    failure = bench.fail(command(bench, WasmProgram().act(act)), limits=limits)
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
