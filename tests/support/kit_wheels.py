"""A package index on loopback that serves the folder ``.cache/wheels``, filled by tools/test_wheels.sh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from polyphony_runner.package_index.simple_index import normalised
from support.runtimes_index import Index, serving

ROOT = Path(__file__).parent.parent.parent
WHEELS = ROOT / ".cache/wheels"


class WheelIndex(Index):
    """The wheels of the folder, besides what a test adds."""

    def page(self, project: str) -> bytes | None:
        """Links to the wheels of a project."""
        added = super().page(project)
        names = [path.name for path in wheels().get(project, ())]
        if added is not None or not names:
            return added
        links = "".join(f'<a href="../../wheels/{name}">{name}</a>' for name in names)
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def answer(self, path: str) -> bytes | None:
        """Pages and files."""
        match path.strip("/").split("/"):
            case ["wheels", name] if (WHEELS / name).is_file():
                return (WHEELS / name).read_bytes()
        return super().answer(path)


@cache
def wheels() -> dict[str, list[Path]]:
    """The wheels by project."""
    found: dict[str, list[Path]] = {}
    for path in sorted(WHEELS.glob("*.whl")):
        found.setdefault(normalised(path.name.split("-")[0]), []).append(path)
    assert found, "hint: tools/test_wheels.sh brings the wheels that these tests serve"
    return found


@contextmanager
def served_wheels() -> Iterator[WheelIndex]:
    """Serve the folder on a free loopback port."""
    index = WheelIndex()
    with serving(index):
        yield index
