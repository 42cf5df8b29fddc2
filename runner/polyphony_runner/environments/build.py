"""One build of a tool environment: an empty one made here, filled by the runner's own ``uv`` in a sandbox.

The sandbox reaches the package index alone. ``uv`` installs wheels and runs nothing of them; whatever it says when
it fails becomes a typed error.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.environments.interpreter import Interpreter
from polyphony_runner.grants.masking import Masker
from polyphony_runner.package_index import IndexAccess, PackageIndex
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.threads import in_thread
from polyphony_runner.sandbox.run import run_sandboxed
from polyphony_runner.sandbox.spec import Exit, Level, Limits, Mount, SandboxSpec
from polyphony_runner.sandbox.tree import opened, remove_tree, walk
from polyphony_schemas.values import ErrorKind

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
_LIBC = ctypes.CDLL(None)
_NO_WHEEL = re.compile(
    r"no wheels|no usable wheels|building source distributions is disabled|has no .*wheel", re.IGNORECASE
)
_BAD_HASH = re.compile(
    r"hash mismatch|Hashes? (are|is) (required|missing)|expected:.*sha256", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Build:
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
        await in_thread(_finish, self.target)

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
        kind: ErrorKind = "unavailable" if ended.kind == "unavailable" else "dependency"
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
    """Drop the cache, make everything read-only for everybody, and durable: the folder's name will vouch for it."""
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
    with opened(target) as root:
        _LIBC.syncfs(root)  # one call for thousands of files
