"""WASI commands for tests, written as text and compiled where a test needs them."""

from __future__ import annotations

from dataclasses import dataclass, field

from wasmtime import wat2wasm

BUFFER = 1 << 16

_MODULE = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 1024) "%(texts)s")

  ;; write LENGTH bytes at AT to the descriptor FD
  (func $put (param $fd i32) (param $at i32) (param $length i32)
    (loop $more
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
      (br_if $more (local.get $length))))

  ;; read the descriptor FD to its end into the buffer; how many bytes there were
  (func $get (param $fd i32) (result i32)
    (local $length i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const %(buffer)s) (local.get $length)))
      (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $length (i32.add (local.get $length) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8))))
    (local.get $length))

  (func (export "_start") (local $length i32) (local $at i32)
%(body)s))
"""


@dataclass
class WasmProgram:
    """A command put together act by act; ``bytes`` compiles it."""

    _body: list[str] = field(default_factory=list)
    _texts: bytearray = field(default_factory=bytearray)

    def say(self, text: str, *, end: str = "\n", to: int = 1) -> WasmProgram:
        """Write a text."""
        data = (text + end).encode()
        at = 1024 + len(self._texts)
        self._texts += data
        return self.act(f"(call $put (i32.const {to}) (i32.const {at}) (i32.const {len(data)}))")

    def hear(self) -> WasmProgram:
        """Read standard input to its end."""
        return self.act("(local.set $length (call $get (i32.const 0)))")

    def repeat(self) -> WasmProgram:
        """Write what was read, without the end of its line."""
        length = "(i32.sub (local.get $length) (i32.const 1))"
        return self.act(f"(call $put (i32.const 1) (i32.const {BUFFER}) {length})")

    def open(self, folder: int, path: str, *, create: bool = False) -> WasmProgram:
        """Open a path below the folder with this descriptor; what came of it is left to ``hear_opened``."""
        data, at = path.encode(), 1024 + len(self._texts)
        self._texts += data
        rights = "(i64.const 66)" if create else "(i64.const 2)"
        flags = "(i32.const 1)" if create else "(i32.const 0)"
        where = f"(i32.const {folder}) (i32.const 1) (i32.const {at}) (i32.const {len(data)})"
        opened = f"(call $open {where} {flags} {rights} (i64.const 0) (i32.const 0) (i32.const 12))"
        return self.act(f"(local.set $at {opened})")

    def exit_by_errno(self) -> WasmProgram:
        """End with the number that ``open`` gave, if it is one."""
        return self.act("(if (local.get $at) (then (call $exit (local.get $at))))")

    def hear_opened(self) -> WasmProgram:
        """Read what was opened to its end."""
        return self.act("(local.set $length (call $get (i32.load (i32.const 12))))")

    def exit(self, status: int) -> WasmProgram:
        """End with a status."""
        return self.act(f"(call $exit (i32.const {status}))")

    def act(self, text: str) -> WasmProgram:
        """Anything."""
        self._body.append(text)
        return self

    def bytes(self) -> bytes:
        """The module."""
        texts = "".join(f"\\{byte:02x}" for byte in self._texts)
        body = "\n".join(f"    {line}" for line in self._body)
        return bytes(wat2wasm(_MODULE % {"texts": texts, "buffer": BUFFER, "body": body}))


FOREVER = "(loop $again (br $again))"
GROW = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 256)) (i32.const -1)))) (unreachable)"
