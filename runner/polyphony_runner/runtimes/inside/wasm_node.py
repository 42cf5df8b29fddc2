"""Inside the sandbox: run one WASI command (preview 1) that speaks protocol version 1 on its standard streams.

    python -I -S -X utf8 wasm_node.py WASMTIME FILE MEMORY [MODE:GUEST PLACE]...      one call, cold

or, in a warm worker, ``boot`` with the same words and then what it returned, once for each call. ``WASMTIME`` is the
folder of that package, ``FILE`` the module, ``MEMORY`` the bytes its memories may grow to (0: no bound). The program
sees the folders that are named and nothing else: ``MODE`` is ``ro`` or ``rw``, ``GUEST`` the path it knows them by,
``PLACE`` where they are. It has no sockets: WASI gives none. This file stands alone, as ``python_node.py`` does.

A trap ends with status 134, as an abort does; a memory at its bound is said on standard error the way Python says it,
where the runner looks for it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_ABORTED = 134
_PAGE = 65536
_HERE = "/ws"
# What concerns the engine and the host; the program can start nothing, and finds its folders elsewhere.
_OWN = ("PATH", "HOME", "TMPDIR", "RAYON_NUM_THREADS")
_ENVIRONMENT = (("HOME", "/tmp"), ("TMPDIR", "/tmp"))  # noqa: S108  # the guest's own


def load(folder: str, file: str) -> tuple[Any, Any, Any]:
    """The library, its engine and the compiled module."""
    # as many threads would be started as the host has cores; and a server with threads cannot be forked
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    sys.path.insert(0, os.path.dirname(folder))  # noqa: PTH120  # pathlib takes long to import
    import wasmtime

    config = wasmtime.Config()
    config.parallel_compilation = False
    config.memory_init_cow = (
        False  # it keeps a descriptor, and the server of a warm worker closes all it does not know
    )
    engine = wasmtime.Engine(config)
    return wasmtime, engine, wasmtime.Module.from_file(engine, file)


def call(loaded: tuple[Any, Any, Any], memory: int, places: list[str]) -> int:
    """Run the command once over the descriptors 0, 1 and 2; its exit status."""
    wasmtime, engine, module = loaded
    store = wasmtime.Store(engine)
    if memory:
        store.set_limits(memory_size=memory)
    store.set_wasi(_wasi(wasmtime, places))
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    exports = None
    try:
        exports = linker.instantiate(store, module).exports(store)
        start = exports.get("_start")
        if not isinstance(start, wasmtime.Func):
            say("the module has no function _start: it is no WASI command")
            return 1
        start(store)
    except wasmtime.ExitTrap as ended:
        status = int(ended.code)
        return _failed(wasmtime, store, exports, memory, status) if status else 0
    except wasmtime.Trap as trap:
        say(trap)
        return _failed(wasmtime, store, exports, memory, _ABORTED)
    except wasmtime.WasmtimeError as error:  # what it imports is not there, or it asks for too much at once
        say(_memory_words(str(error)))
        return 1
    return 0


def _wasi(wasmtime: Any, places: list[str]) -> Any:
    """What the program is given: streams, environment, folders."""
    wasi = wasmtime.WasiConfig()
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    wasi.argv = ["node"]
    wasi.env = [*((name, os.environ[name]) for name in os.environ if name not in _OWN), *_ENVIRONMENT]
    wasi.preopen_dir(".", ".", True)
    wasi.preopen_dir(".", _HERE, True)  # a warm call's own folder is not /ws itself
    for word, place in zip(places[::2], places[1::2], strict=True):
        mode, _, guest = word.partition(":")
        wasi.preopen_dir(place, guest, mode == "rw")
    return wasi


def _failed(wasmtime: Any, store: Any, exports: Any, memory: int, status: int) -> int:
    """The status of a program that failed; says so when its memory is what it lacked."""
    found = exports.get("memory") if memory and exports is not None else None
    if isinstance(found, wasmtime.Memory) and found.data_len(store) + memory // 8 + _PAGE > memory:
        say(f"MemoryError: the program's memory has grown to its bound of {memory} bytes")
    return status


def _memory_words(text: str) -> str:
    refused = "memory minimum size" in text or "mmap failed" in text or "out of memory" in text.lower()
    return f"MemoryError: {text}" if refused else text


def boot(folder: str, file: str, memory: str, *places: str) -> Callable[[], None]:
    """Warm: compile once; what is returned serves one call in a process of its own."""
    loaded = load(folder, file)

    def once() -> None:
        leave(call(loaded, int(memory), list(places)))

    return once


def say(text: object) -> None:
    """A line for the log."""
    sys.stderr.write(f"{text}\n")


def leave(status: int) -> NoReturn:
    """End this process."""
    sys.stderr.flush()
    os._exit(status)


def main(folder: str, file: str, memory: str, *places: str) -> None:
    """One cold call."""
    try:
        loaded = load(folder, file)
    except Exception as error:  # noqa: BLE001  # whatever the library says of a module that it does not take
        say(f"{file} is no WebAssembly module that runs here: {error}")
        leave(1)
    leave(call(loaded, int(memory), list(places)))


if __name__ == "__main__":
    main(*sys.argv[1:])
