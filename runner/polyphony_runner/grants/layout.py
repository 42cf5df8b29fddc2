"""Where each granted path appears inside: ``/src/NAME`` to read, ``/ws/NAME`` to write (docs/runtimes.md, Files).

NAME is the input's name when the grant is exactly ``${ inputs.X }``, else the base name of the resolved path
(``root`` when it has none); a clash gets ``-2``, ``-3`` in the order of the sorted host paths. A path granted for
both appears once, under ``/ws``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from polyphony_runner.grants.values import PathGrant


@dataclass(frozen=True, slots=True)
class Placement:
    """One granted host path with its place inside."""

    grant: PathGrant
    host: Path
    inside: str

    @property
    def name(self) -> str:
        """The last part of the place inside."""
        return PurePosixPath(self.inside).name


def place_all(resolved: Sequence[tuple[PathGrant, Path]], input_names: Mapping[Path, str]) -> list[Placement]:
    """Give every distinct host path its one place inside, sorted by host path.

    ``input_names`` says which input a host path is, for grants that are exactly ``${ inputs.X }``.
    """
    chosen: dict[Path, PathGrant] = {}
    for grant, host in resolved:
        chosen[host] = _stronger(chosen.get(host), grant)
    taken: dict[tuple[str, str], int] = {}
    placements = []
    for host in sorted(chosen):
        grant = chosen[host]
        folder = "/ws" if grant.key == "write" else "/src"
        name = input_names.get(host) or host.name or "root"
        count = taken[folder, name] = taken.get((folder, name), 0) + 1
        suffix = f"-{count}" if count > 1 else ""
        while suffix and (folder, name + suffix) in taken:
            count += 1
            suffix = f"-{count}"
        taken[folder, name + suffix] = taken.get((folder, name + suffix), 0) + (1 if suffix else 0)
        placements.append(Placement(grant, host, f"{folder}/{name}{suffix}"))
    return placements


def _stronger(known: PathGrant | None, new: PathGrant) -> PathGrant:
    if known is None:
        return new
    if "write" in (known.key, new.key):
        writes = [grant for grant in (known, new) if grant.key == "write"]
        return next((grant for grant in writes if grant.direct), writes[0])
    return known if known.private_copy else new


def inside_of(host: Path, placements: Sequence[Placement]) -> str | None:
    """The place inside of a resolved host path, through the nearest grant at or above it; None when none covers it."""
    covering = [place for place in placements if host == place.host or host.is_relative_to(place.host)]
    if not covering:
        return None
    nearest = max(covering, key=lambda place: len(place.host.parts))
    rest = host.relative_to(nearest.host)
    return nearest.inside if rest == Path() else f"{nearest.inside}/{rest.as_posix()}"


def relative_result(text: str, placements: Sequence[Placement]) -> str:
    """A result that names a place inside, as a path relative to the granted path; any other text unchanged.

    ``file://`` in front is dropped with it.
    """
    bare = text.removeprefix("file://")
    for place in placements:
        if bare == place.inside:
            return "."
        if bare.startswith(f"{place.inside}/"):
            return bare[len(place.inside) + 1 :]
    return text
