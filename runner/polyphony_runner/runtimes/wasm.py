"""WebAssembly: the engine, and what a WASI command is shown.

The engine is the library ``wasmtime`` (extra ``wasm``), shown to a small program of ours (``inside/wasm_node.py``)
that runs in the sandbox like any node. So processor time, wall time, output and disk are bounded as for every node,
and by the memory of the whole tree; the module's own memories are bounded by the engine too. A command sees the
folders it is granted and has no network at all: WASI gives it no sockets.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Literal

from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.spec import Mount

ENGINE = "/polyphony-wasm/wasmtime"
STAGED = "/polyphony-wasm/at/"
TEMPORARY, SECRETS = "/tmp", "/tmp/.secrets"  # noqa: S108  # the sandbox's own


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
    folder = Path(next(iter(found.submodule_search_locations)))
    if not (folder / f"__pycache__/__init__.{sys.implementation.cache_tag}.pyc").is_file():
        # read-only inside, where it would be compiled again at every start; no matter where it may not be written
        import compileall

        compileall.compile_dir(folder, quiet=2)
    return folder


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
    ``apart`` says that the program has a file system of its own: then what lies in /ws is seen with it.
    """
    temporary = TEMPORARY if apart else _place(TEMPORARY)
    folders: dict[str, tuple[str, str]] = {TEMPORARY: ("rw", temporary)}
    for mount in mounts:
        place = PurePosixPath(mount.inside)
        place = place.parent if mount.source.is_file() else place
        guest = _guest(str(place))
        if guest == "/ws" or (apart and guest.startswith("/ws/")):
            continue
        mode = "ro" if mount.mode == "ro" and folders.get(guest, ("",))[0] != "rw" else "rw"
        folders[guest] = (mode, str(place))
    return tuple(word for guest, (mode, place) in folders.items() for word in (f"{mode}:{guest}", place))


def staged(mounts: Sequence[Mount], secrets: Mapping[str, bytes], work: Path) -> Iterator[Mount]:
    """The same where the program has no file system of its own: /tmp, single files and secrets in private folders.

    These lie beside the work folder and go with it. NodeError PLY3756 for a single file that is written directly.
    Blocking.
    """
    yield _staged(work, TEMPORARY, "rw")
    for mount in mounts:
        inside = PurePosixPath(mount.inside)
        if not mount.source.is_file():
            yield mount
        elif inside.is_relative_to("/ws"):
            raise NodeError(
                "unavailable",
                "PLY3756",
                f"{inside.name!r} is a single file to be written directly, which WebAssembly cannot be shown here",
                hint="grant its folder, or leave mode: direct out",
            )
        else:
            shown = _staged(work, str(inside.parent), "ro" if mount.mode == "ro" else "rw")
            shutil.copyfile(mount.source, shown.source / inside.name)
            yield shown
    if secrets:
        shown = _staged(work, SECRETS, "ro")
        for name, value in secrets.items():
            (shown.source / name).write_bytes(value)
        yield shown


def _staged(work: Path, guest: str, mode: Literal["ro", "rw"]) -> Mount:
    """A private folder that is known as ``guest``."""
    folder = work.parent / "wasm" / _place(guest).removeprefix(STAGED)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Mount(folder, _place(guest), mode)


def _place(guest: str) -> str:
    """Where a private folder is: by one name for each, so that none lies in another."""
    return STAGED + guest.strip("/").replace("/", ":")


def _guest(place: str) -> str:
    """As what a command knows a place."""
    name = place.removeprefix(STAGED)
    return place if name == place else "/" + name.replace(":", "/")
