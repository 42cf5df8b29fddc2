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
import re
import secrets
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.environments.interpreter import Interpreter, own_interpreter
from polyphony_runner.files import private_folder, sync_folder
from polyphony_runner.grants.masking import Masker
from polyphony_runner.package_index import IndexAccess, PackageIndex
from polyphony_runner.runtimes.failures import Kind, NodeError
from polyphony_runner.sandbox.run import run_sandboxed
from polyphony_runner.sandbox.spec import Exit, Level, Limits, Mount, SandboxSpec
from polyphony_runner.sandbox.tree import opened, remove_tree, walk

BUILD_LIMITS = Limits(
    wall=900.0,
    memory=4 << 30,
    processes=256,
    file_size=8 << 30,
    disk=16 << 30,
    tmp=256 << 20,
    entries=1_000_000,
)
UV = "/polyphony-build/uv"
LOCK = "/polyphony-build/requirements.lock"
OPTIONS = (
    *("--require-hashes", "--only-binary", ":all:", "--no-deps", "--compile-bytecode"),
    # Hashes decide what is installed, so every index may be asked for it.
    *("--index-strategy", "unsafe-best-match", "--no-config", "--no-progress"),
)
_NO_WHEEL = re.compile(
    r"no wheels|no usable wheels|building source distributions is disabled|has no .*wheel", re.IGNORECASE
)
_BAD_HASH = re.compile(
    r"hash mismatch|Hashes? (are|is) (required|missing)|expected:.*sha256", re.IGNORECASE | re.DOTALL
)

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
            path = self._folder / digest
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
                await asyncio.to_thread(remove_tree, left)
            temporary = private_folder(self._folder / f".{path.name}.tmp-{secrets.token_hex(6)}")
            try:
                build = _Build(self._interpreter, path, private_folder(temporary / "work"), level)
                await build.run(requirements, names, self._index)
                build.target.rename(path)
                path.chmod(0o555)  # only now: a folder that moves has to be writable
                sync_folder(self._folder)
            finally:
                await asyncio.to_thread(remove_tree, temporary)


@dataclass(frozen=True, slots=True)
class _Build:
    """One build: ``target``, a folder in the work folder (whose size is bounded), is shown inside at ``path``."""

    interpreter: Interpreter
    path: Path
    work: Path
    level: Level | None

    @property
    def target(self) -> Path:
        """The environment on the host while it is being made."""
        return self.work / "environment"

    async def run(self, requirements: bytes, names: list[str], index: PackageIndex) -> None:
        """Make the environment, install into it, make it read-only."""
        self._make_empty()
        if names:
            await self._install(requirements, await index.access(names))
        await asyncio.to_thread(_finish, self.target)

    def _make_empty(self) -> None:
        """A virtual environment without packages: what ``python -m venv --without-pip`` would make."""
        (self.target / self.interpreter.site_packages).mkdir(parents=True)
        programs = self.target / "bin"
        programs.mkdir()
        for name in ("python", "python3", f"python{self.interpreter.version}"):
            (programs / name).symlink_to(self.interpreter.executable)
        settings = f"home = {self.interpreter.executable.parent}\ninclude-system-site-packages = false\n"
        (self.target / "pyvenv.cfg").write_text(settings + f"version = {self.interpreter.full_version}\n")

    async def _install(self, requirements: bytes, access: IndexAccess) -> None:
        python = str(self.path / "bin/python")
        spec = SandboxSpec(
            argv=(UV, "pip", "install", "--python", python, "--requirements", LOCK, *OPTIONS),
            work=self.work,
            env={
                "UV_CACHE_DIR": f"{self.path}/.uv-cache",
                "UV_PYTHON_DOWNLOADS": "never",
                "UV_LINK_MODE": "hardlink",
                **access.env,
            },
            mounts=(
                Mount(uv_binary(), UV, shared=True),
                Mount(self.target, str(self.path), "rw"),
                *self.interpreter.mounts(),
                *access.mounts,
            ),
            files={LOCK: requirements},
            endpoints=access.endpoints,
            limits=BUILD_LIMITS,
            host_proxy=access.proxy,
        )
        ended = await run_sandboxed(spec, level=self.level)
        if ended.kind is not None:
            raise _failure(ended, Masker({}, also=access.masked))


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


def uv_binary() -> Path:
    """The uv that came with the runner. NodeError PLY3605 when the installation lost it."""
    from uv import find_uv_bin

    try:
        return Path(find_uv_bin()).resolve()
    except FileNotFoundError:
        raise NodeError(
            "unavailable",
            "PLY3605",
            "the runner's uv program is missing",
            hint="install polyphony-runner again",
        ) from None


def _failure(ended: Exit, masker: Masker) -> NodeError:
    text = masker.text(ended.stderr.strip()) or ended.message
    if ended.kind != "exit":
        kind: Kind = "unavailable" if ended.kind == "unavailable" else "dependency"
        return NodeError(
            kind,
            "PLY3604",
            f"the tool environment could not be made: {masker.text(ended.message)}",
            trace=text,
        )
    if _BAD_HASH.search(text):
        return NodeError(
            "dependency",
            "PLY3603",
            f"a package does not have the hash that the requirements lock: {_last(text)}",
            hint="compare the requirements with the index; nothing was installed",
            trace=text,
            retryable=False,
        )
    if _NO_WHEEL.search(text):
        return NodeError(
            "dependency",
            "PLY3602",
            f"a package has no wheel for this machine: {_last(text)}",
            hint="extensions are never built from source; require a version that has a wheel",
            trace=text,
            retryable=False,
        )
    return NodeError(
        "dependency", "PLY3604", f"the tool environment could not be made: {_last(text)}", trace=text
    )


def _last(text: str) -> str:
    return " ".join(line.strip(" ×╰─▶│├") for line in text.splitlines()[-6:])[:600]


def _finish(target: Path) -> None:
    """Drop the cache and make everything read-only for everybody."""
    remove_tree(target / ".uv-cache")
    with opened(target) as root:
        for visit in walk(root):
            if visit.step == "leave" or stat.S_ISLNK(visit.stat.st_mode):
                continue
            folder = visit.step == "enter"
            mode = 0o555 if folder or visit.stat.st_mode & 0o100 else 0o444
            descriptor = os.open(
                visit.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=visit.dir_fd
            )
            try:
                os.fchmod(descriptor, mode)
                os.fchown(descriptor, os.geteuid(), os.getegid())
            finally:
                os.close(descriptor)
    target.chmod(0o755)
