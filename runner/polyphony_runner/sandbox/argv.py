"""The option list of bubblewrap for both levels, option by option with its reason in ``docs/sandbox.md``.

Everything is passed NUL-separated through a memory file (``--args``): an argv is readable by everybody on the
host, and as ``/proc/1/cmdline`` inside. What a program gets as a file made from bytes (passwd, secrets) travels
in memory files too and never touches a disk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from polyphony_runner.sandbox import seccomp
from polyphony_runner.sandbox.errors import SPEC_INVALID, SandboxError
from polyphony_runner.sandbox.spec import Level, Limits, Mount, SandboxSpec

PROXY_PORT = 3128
INNER_UID = 65534  # level full: the one user inside its own user namespace
ETC_FROM_HOST = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates",
)
STORES = ("/nix/store", "/gnu/store")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
NSSWITCH = b"passwd: files\ngroup: files\nhosts: files\n"
HOSTS = b"127.0.0.1 localhost sandbox\n::1 localhost\n"
SETPRIV = (
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--",
)


def memory_file(name: str, content: bytes) -> int:
    """An anonymous file at position 0; the caller closes it."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


@dataclass(slots=True)
class Options:
    """The growing option list and the descriptors it names (closed by ``close`` after the spawn)."""

    words: list[str] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    made_mounts: set[str] = field(default_factory=set)

    def add(self, *words: str) -> None:
        """Append words."""
        self.words += words

    def parents(self, path: str) -> None:
        """Make the folders above a place, open to all: bubblewrap's own choice would lock another uid out."""
        for folder in _above(path):
            if folder not in self.made:
                self.made.add(folder)
                self.add("--perms", "0755", "--dir", folder)

    def data(self, path: str, content: bytes, *, perms: str = "0444") -> None:
        """A read-only file made from bytes. 0444: under the privileged level its owner is not the reader."""
        fd = memory_file("polyphony", content)
        self.fds.append(fd)
        self.add("--perms", perms, "--ro-bind-data", str(fd), path)

    def file(self, path: str, content: bytes) -> None:
        """A file of the root itself, which is read-only in the end: one mount less than ``data``."""
        fd = memory_file("polyphony", content)
        self.fds.append(fd)
        self.add("--perms", "0444", "--file", str(fd), path)

    def args_file(self) -> int:
        """The memory file for ``--args``."""
        joined = os.fsencode("\0".join((*self.words, "")))
        if joined.count(b"\0") != len(self.words):
            raise SandboxError(
                SPEC_INVALID, "a sandbox option holds a NUL byte", hint="remove it from path or environment"
            )
        fd = memory_file("polyphony-args", joined)
        self.fds.append(fd)
        return fd

    def close(self) -> None:
        """Close every descriptor that was made for the spawn."""
        while self.fds:
            os.close(self.fds.pop())


def base_environment(limits: Limits, *, level: Level, network: bool) -> dict[str, str]:
    """The environment every program starts with; nothing is inherited.

    Thread counts come from the process limit: programs would count the host's cores and fail to start threads.
    """
    threads = str(max(1, min(os.cpu_count() or 1, limits.processes // 4)))
    environment = {
        "PATH": "/ext/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108  # the sandbox's own
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "GOMAXPROCS": threads,
        "PYTHON_CPU_COUNT": threads,
    }
    if level != "full":  # the files in /ws may belong to another uid than the program's
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
    if network:
        proxy = f"http://127.0.0.1:{PROXY_PORT}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            environment[name] = environment[name.lower()] = proxy
        environment |= {"NO_PROXY": "", "no_proxy": "", "NODE_USE_ENV_PROXY": "1"}
    return environment


def _namespaces(options: Options, level: Level) -> None:
    if level == "full":
        options.add("--unshare-user", "--disable-userns", "--uid", str(INNER_UID), "--gid", str(INNER_UID))
        options.add("--cap-drop", "ALL")
    options.add("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
    options.add("--hostname", "sandbox", "--die-with-parent", "--new-session")


@cache
def _above(path: str) -> tuple[str, ...]:
    """The folders above a place that bubblewrap does not make itself, outer ones first."""
    folders = (str(folder) for folder in reversed(PurePosixPath(path).parents))
    return tuple(folder for folder in folders if folder not in ("/", "/tmp", "/dev", "/proc"))  # noqa: S108


@cache
def _merged() -> tuple[tuple[str, ...], ...]:
    """How this machine has /bin, /lib and so on: as links into /usr, or as folders."""
    found: list[tuple[str, ...]] = []
    for name in MERGED:
        host = Path("/", name)
        if host.is_symlink():
            found.append(("--symlink", str(host.readlink()), f"/{name}"))
        elif host.is_dir():
            found.append(("--ro-bind", f"/{name}", f"/{name}"))
    return tuple(found)


def _system(options: Options, uid: int) -> None:
    """/usr, what the loader and TLS need of /etc, one user, and the kernel's file systems."""
    options.add("--ro-bind", "/usr", "/usr")
    for words in _merged():
        options.add(*words)
    for path in (*ETC_FROM_HOST, *(store for store in STORES if Path(store).is_dir())):
        options.parents(path)
        options.add("--ro-bind-try", path, path)
    options.parents("/etc/passwd")
    options.file("/etc/passwd", f"node:x:{uid}:{uid}:node:/tmp:/bin/sh\n".encode())
    options.file("/etc/group", f"node:x:{uid}:\n".encode())
    options.file("/etc/hosts", HOSTS)
    options.file("/etc/nsswitch.conf", NSSWITCH)


def _kernel_file_systems(options: Options, limits: Limits) -> None:
    options.add("--proc", "/proc", "--dev", "/dev")
    for path in ("/tmp", "/dev/shm"):  # noqa: S108  # without --perms the privileged level could not write them
        options.add("--perms", "1777", "--size", str(limits.tmp), "--tmpfs", path)


def inside_path(path: str) -> str:
    """A path inside, absolute and normal, or the error that says so."""
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or str(pure) != path or path == "/":
        raise SandboxError(
            SPEC_INVALID,
            f"{path!r} is no place inside a sandbox: expected a normal absolute path below /",
            hint="write it like /src/project",
        )
    return path


def _place(options: Options, inside: str) -> None:
    """Folders above a mount, except inside another one (/ws is the work folder, the rest is read-only)."""
    if not any(inside.startswith(f"{top}/") for top in ("/ws", "/usr", *options.made_mounts)):
        options.parents(inside)
    options.made_mounts.add(inside)


def _mounts(options: Options, mounts: Sequence[Mount]) -> None:
    """Outer mounts before inner ones, so that none hides another."""
    for mount in sorted(mounts, key=lambda mount: (mount.inside.count("/"), mount.inside)):
        writable = mount.mode != "ro"
        _place(options, inside_path(mount.inside))
        if mount.fd is not None:
            options.add("--bind-fd" if writable else "--ro-bind-fd", str(mount.fd), mount.inside)
        else:
            options.add("--bind" if writable else "--ro-bind", str(mount.source), mount.inside)


def build(spec: SandboxSpec, level: Level, *, uid: int, mounts: Sequence[Mount]) -> Options:
    """Everything but the status, block and sync descriptors. ``mounts`` replace those of the specification."""
    options = Options()
    try:
        network = bool(spec.endpoints)
        _namespaces(options, level)
        options.add("--clearenv")
        environment = base_environment(spec.limits, level=level, network=network)
        for name, value in (environment | dict(spec.env)).items():
            options.add("--setenv", name, value)
        _system(options, uid)
        _kernel_file_systems(options, spec.limits)
        options.add("--bind", str(spec.work), "/ws")
        _mounts(options, mounts)
        for path, content in spec.files.items():
            _place(options, inside_path(path))
            options.data(path, content)
        for name, value_bytes in spec.secrets.items():
            options.parents("/tmp/.secrets/name")  # noqa: S108
            options.data(inside_path(f"/tmp/.secrets/{name}"), value_bytes)  # noqa: S108
        options.add("--chdir", spec.chdir, "--remount-ro", "/dev", "--remount-ro", "/")
        bpf = memory_file("polyphony-bpf", seccomp.filter_for(network=network))
        options.fds.append(bpf)
        options.add("--seccomp", str(bpf))
    except BaseException:
        options.close()
        raise
    return options


def payload(spec: SandboxSpec, level: Level, *, uid: int) -> list[str]:
    """The words after ``--``: under the privileged level the program is started by setpriv, as its own user."""
    if level == "full-privileged":
        return ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", *SETPRIV, *spec.argv]
    return list(spec.argv)
