"""Building environments: ``envs/<digest>/``, content-addressed, read-only, shared by every run.

The digest covers the requirements' bytes and the interpreter. ``uv`` (the runner's own binary) builds in a sandbox
with access to the package index alone, into a temporary folder that is shown inside at its final path, since
scripts name their interpreter; when it is complete it is renamed. Who is killed half-way leaves a temporary
folder, which the next builder removes; two at once wait for each other at a lock file.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.environments.build import Build
from polyphony_runner.environments.collecting import hold
from polyphony_runner.environments.interpreter import Interpreter, own_interpreter
from polyphony_runner.files import private_folder, sync_folder
from polyphony_runner.package_index import PackageIndex
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.spec import Level, Mount
from polyphony_runner.sandbox.tree import remove_tree

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment: its folder, mounted at its own path."""

    path: Path
    site_packages: Path

    @property
    def mount(self) -> Mount:
        """How it is shown inside."""
        return Mount(self.path, str(self.path), shared=True)

    @property
    def bin(self) -> str:
        """The folder of its programs."""
        return str(self.path / "bin")


class Environments:
    """The environments of one home."""

    def __init__(
        self,
        folder: Path,
        index: PackageIndex,
        *,
        interpreter: Interpreter | None = None,
    ) -> None:
        self._folder = folder
        self._index = index
        self._interpreter = interpreter or own_interpreter()
        self._ready: dict[str, Environment] = {}
        self._building: dict[str, asyncio.Lock] = {}

    def digest(self, requirements: bytes) -> str:
        """The name of the environment for these bytes on this interpreter."""
        head = f"polyphony environment v1\n{self._interpreter.identity}\n".encode()
        return hashlib.sha256(head + requirements).hexdigest()

    async def ensure(
        self, requirements: bytes, *, level: Level | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Environment:
        """The environment for hash-locked requirements, built (``level`` of the sandbox) when it is not there yet.

        NodeError: PLY3601 malformed, PLY3602 no wheel, PLY3603 another hash, PLY3604 any other failure.
        """
        digest = self.digest(requirements)
        known = self._ready.get(digest)
        if known is not None:
            return known
        async with self._building.setdefault(digest, asyncio.Lock()):
            path = private_folder(self._folder) / digest
            # held as long as this object lives: its programs may be started at any time
            weakref.finalize(self, os.close, hold(self._folder, digest))
            if not path.is_dir():
                from polyphony_runner.environments.requirements import read_requirements

                names = read_requirements(requirements)
                say(f"making the tool environment {digest[:12]} ({len(names)} packages)")
                await self._build(path, requirements, names, level)
            environment = Environment(path, path / self._interpreter.site_packages)
            self._ready[digest] = environment
            return environment

    async def _build(self, path: Path, requirements: bytes, names: list[str], level: Level | None) -> None:
        private_folder(self._folder)
        async with _held(self._folder / f".{path.name}.lock"):
            if path.is_dir():
                return
            for left in self._folder.glob(f".{path.name}.tmp-*"):
                await in_thread(remove_tree, left)
            temporary = private_folder(self._folder / f".{path.name}.tmp-{secrets.token_hex(6)}")
            try:
                build = Build(self._interpreter, path, private_folder(temporary / "work"), level)
                await build.run(requirements, names, self._index)
                build.target.rename(path)
                path.chmod(0o555)  # only now: a folder that moves has to be writable
                sync_folder(self._folder)
            finally:
                await in_thread(remove_tree, temporary)


@contextlib.asynccontextmanager
async def _held(path: Path) -> AsyncIterator[None]:
    """The lock file ``path``, against every other builder; waiting can be cancelled."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
