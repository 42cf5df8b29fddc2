"""What a person calls an artifact by: its digest, or where it stands in a run.

``DIGEST`` is 64 hexadecimal digits. ``RUN:NODE.PORT`` is a port's value, ``RUN:inputs.NAME`` and ``RUN:outputs.NAME``
those of the run, ``RUN:NODE.PORT/NAME`` a file that such a value names inside, ``RUN:NAME`` a file of the run itself
(``journal.jsonl``) or a free artifact.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.export import export, is_folder_artifact, write_file
from polyphony_runner.artifacts.protocol import ArtifactStore
from polyphony_runner.runs.folder import find_run
from polyphony_runner.runs.produced import Produced, produced_by
from polyphony_schemas.names import did_you_mean


@dataclass(frozen=True, slots=True)
class Found:
    """Something that was asked for by its address; ``one`` is None for a digest, which says nothing else."""

    address: str
    digest: str
    size: int | None
    store: ArtifactStore
    one: Produced | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder artifact."""
        return (self.one is None or self.one.stored) and is_folder_artifact(self.store, self.digest)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, to be read from the beginning."""
        if self.one is not None and self.one.inline is not None:
            yield io.BytesIO(self.one.inline)
            return
        path = self.one.path if self.one is not None else None
        with (path or self.store.file(self.digest)).open("rb") as stream:
            yield stream

    def read(self, limit: int | None = None) -> bytes:
        """Its bytes; PLY2305 when there are more than ``limit``."""
        with self.open() as stream:
            data = stream.read() if limit is None else stream.read(limit + 1)
        if limit is not None and len(data) > limit:
            raise ArtifactError("PLY2305", f"{self.address} has more than {limit} bytes")
        return data

    def write(self, target: Path) -> int:
        """Copy it to ``target`` as ``artifacts.export`` does; gives the bytes written."""
        if self.one is None or self.one.stored:
            return export(self.store, self.digest, target)
        with self.open() as stream:
            write_file(stream, target)
        return target.stat().st_size


def find(address: str, runs: Path, store: ArtifactStore) -> Found:
    """Find something by its address; PLY2301 for an unknown digest, PLY2402 for a run, PLY2805 for a place in it."""
    run, colon, place = address.partition(":")
    if not colon:
        return Found(address, address, None, store)
    folder = find_run(runs, run)
    everything = produced_by(folder)
    matching = [one for one in everything if place in names_of(one)]
    digests = {one.digest for one in matching}
    if len(digests) == 1:
        one = matching[0]
        return Found(address, one.digest, one.size, store, one)
    known = sorted({name for one in everything for name in names_of(one)})
    raise ArtifactError(
        "PLY2805",
        f"the run {folder.run!r} has {len(digests) or 'nothing'} {'things ' if digests else ''}called {place!r}",
        hint=did_you_mean(place, known) or f"polyphony artifacts list {folder.run}",
    )


def names_of(one: Produced) -> Sequence[str]:
    """What it may be called by within its run."""
    if one.category == "metadata":
        return (one.name,)
    owner = one.node if one.category == "intermediates" else one.category
    if one.port is None:
        return (f"{owner}.{one.name}", one.name)
    return (f"{owner}.{one.port}/{one.name}" if one.within else f"{owner}.{one.port}",)
