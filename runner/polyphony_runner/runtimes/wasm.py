"""WebAssembly: the engine, and what a WASI command is shown.

The engine is the library ``wasmtime`` (extra ``wasm``), shown to a small program of ours (``inside/wasm_node.py``)
that runs in the sandbox like any node. So processor time, wall time, output and disk are bounded as for every node,
and by the memory of the whole tree; the module's own memories are bounded by the engine too. A command sees the
folders it is granted and has no network at all: WASI gives it no sockets.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.spec import Mount

ENGINE = "/polyphony-wasm/wasmtime"
SECRETS = "/tmp/.secrets"  # noqa: S108  # the sandbox's own


@cache
def engine_folder() -> Path:
    """Where the library is. NodeError PLY3755 when it is not installed."""
    found = find_spec("wasmtime")
    if found is None or not found.submodule_search_locations:
        raise NodeError(
            "unavailable",
            "PLY3755",
            "this extension is WebAssembly, and the engine for it is not installed",
            hint="pip install 'polyphony-runner[wasm]'",
        )
    return Path(next(iter(found.submodule_search_locations)))


def engine_version() -> str:
    """Which engine it is. NodeError PLY3755 when there is none."""
    from importlib.metadata import version

    engine_folder()
    return version("wasmtime")


def engine_mount() -> Mount:
    """The library, as it is shown inside."""
    return Mount(engine_folder(), ENGINE, shared=True)


def places(mounts: Sequence[Mount], *, apart: bool) -> tuple[str, ...]:
    """The words that name the folders a command sees: ``MODE:GUEST PLACE`` for each, PLACE a path inside.

    WASI knows folders only: a file that was granted is seen by the folder it is shown in, which holds nothing else.
    ``apart`` says that the program has a file system of its own: then there is a /tmp, and what lies in /ws is seen
    with it.
    """
    folders: dict[str, str] = {"/tmp": "rw"} if apart else {}  # noqa: S108  # the sandbox's own
    for mount in mounts:
        inside = PurePosixPath(mount.inside)
        guest = str(inside.parent if mount.source.is_file() else inside)
        if guest == "/ws" or (apart and guest.startswith("/ws/")):
            continue
        folders[guest] = "ro" if mount.mode == "ro" and folders.get(guest) != "rw" else "rw"
    return tuple(word for guest, mode in folders.items() for word in (f"{mode}:{guest}", guest))


def staged(mounts: Sequence[Mount], secrets: Mapping[str, bytes], work: Path) -> Iterator[Mount]:
    """The same where the program has no file system of its own: single files and secrets in folders of their own.

    These lie beside the work folder and go with it; a file that may be written to is a second name of itself in the
    work folder. Blocking.
    """
    aside = work.parent / "wasm-files"
    for mount in mounts:
        inside = PurePosixPath(mount.inside)
        if not mount.source.is_file():
            yield mount
        elif inside.is_relative_to("/ws"):
            os.link(mount.source, work / inside.relative_to("/ws"))
        else:
            folder = aside / inside.parent.relative_to("/")
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(mount.source, folder / inside.name)
            yield Mount(folder, str(inside.parent), mount.mode)
    if secrets:
        folder = aside / "secrets"
        folder.mkdir(mode=0o700, parents=True)
        for name, value in secrets.items():
            (folder / name).write_bytes(value)
        yield Mount(folder, SECRETS)
