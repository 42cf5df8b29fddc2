"""Showing a Python interpreter inside: at its own path, with its library, and every link that leads to it.

Interpreters of pyenv, uv and conda live outside /usr. A relocated shared build would load the system's libpython,
and ``pyvenv.cfg`` and ``bin/python`` of an environment name absolute paths, so nothing is moved.
"""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.sandbox.errors import MOUNT_REFUSED, MountRefusedError
from polyphony_runner.sandbox.spec import Mount

MAX_LINKS = 40
ALWAYS_THERE = (Path("/usr"), Path("/bin"), Path("/lib"), Path("/lib64"))


def interpreter_mounts(python: Path) -> tuple[Mount, ...]:
    """The mounts that make ``python`` (an absolute path, also of a virtual environment) start inside.

    Empty for an interpreter of /usr. PLY3003 when the path is not one.
    """
    prefixes: dict[Path, None] = {}
    for step in _links(python):
        prefix = step.parent.parent
        if not _is_prefix(prefix):
            continue
        prefixes[prefix] = None
        for home in _base_of_environment(prefix):
            for inner in _links(home / step.name if (home / step.name).exists() else home / "python3"):
                if _is_prefix(inner.parent.parent):
                    prefixes[inner.parent.parent] = None
    if not prefixes and not _inside_usr(python.resolve()):
        raise MountRefusedError(
            MOUNT_REFUSED,
            f"{str(python)!r} is not the interpreter of a Python installation or environment",
            hint="name bin/python of an installation or a virtual environment",
        )
    return tuple(
        Mount(prefix.resolve(), str(prefix), shared=True) for prefix in prefixes if not _inside_usr(prefix)
    )


def _links(path: Path) -> list[Path]:
    """The path, and what each of its links names, also with linked folders resolved."""
    found = [path]
    while path.is_symlink() and len(found) < MAX_LINKS:
        path = Path(path.parent, path.readlink())
        path = Path(*_without_dots(path))
        found.append(path)
    return [*found, path.resolve()]


def _without_dots(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts


def _is_prefix(folder: Path) -> bool:
    if (folder / "pyvenv.cfg").is_file():
        return True
    return any((library / "os.py").is_file() for library in folder.glob("lib/python3.*"))


def _base_of_environment(prefix: Path) -> list[Path]:
    config = prefix / "pyvenv.cfg"
    if not config.is_file():
        return []
    for line in config.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return [Path(value.strip())]
    return []


def _inside_usr(path: Path) -> bool:
    return any(path == top or top in path.parents for top in ALWAYS_THERE)
