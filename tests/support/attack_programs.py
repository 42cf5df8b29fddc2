"""The attack programs of ``tests/attacks``: what each says of itself in its first lines."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "attacks" / "programs"
LIBRARY = "attempt.py"
WAYS = ("box", "node", "process", "warm", "wasm")


@dataclass(frozen=True)
class Attack:
    """One program. ``heads`` are its lines ``Name: value`` after the first, by their names in lower case."""

    name: str
    path: Path
    tries: str
    heads: dict[str, str]

    @property
    def way(self) -> str:
        """Started as a plain program (``box``), by the runtime as a node of some kind, or as WebAssembly."""
        return self.heads.get("way", "box")

    @property
    def grants(self) -> str:
        """What it is granted beside the folder it may read: network, secret, write; or nothing."""
        return self.heads.get("grants", "")

    @property
    def ends(self) -> set[str]:
        """The kinds it may end with; ``none`` is the end of a program that was stopped at each step and lived."""
        return set(self.heads.get("ends", "none").split(", "))

    def number(self, name: str, otherwise: float) -> float:
        """A bound that it asks for."""
        return float(self.heads.get(name, otherwise))

    @cached_property
    def source(self) -> str:
        """The whole file."""
        return self.path.read_text("utf-8")

    @property
    def digest(self) -> str:
        """Of the program and of what it uses."""
        library = (PROGRAMS / LIBRARY).read_bytes() if self.way == "box" else b""
        return hashlib.sha256(library + self.source.encode()).hexdigest()[:16]


def attacks() -> list[Attack]:
    """Every program, by its name."""
    found = [path for path in PROGRAMS.rglob("*.*") if path.suffix in (".py", ".sh", ".c", ".wat")]
    return [_read(path) for path in sorted(found) if path.name != LIBRARY]


def _read(path: Path) -> Attack:
    lines = path.read_text("utf-8").splitlines()
    if path.suffix in (".sh", ".wat"):
        mark = "#" if path.suffix == ".sh" else ";;"
        said = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    else:
        end = next(number for number, line in enumerate(lines) if line in ('"""', "*/"))
        said = [re.sub(r'^("""|/\*)', "", line).strip() for line in lines[:end]]
    pairs = [line.split(": ", 1) for line in said[1:] if ": " in line]
    name = str(path.relative_to(PROGRAMS).with_suffix(""))
    return Attack(name, path, said[0], {key.lower(): value for key, value in pairs})
