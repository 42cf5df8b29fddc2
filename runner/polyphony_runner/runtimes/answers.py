"""Whether a diff that a node answers with fits the files the node was granted.

It must fit one of the granted folders (or files) as a whole. Where the node was granted none, only its form counts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from polyphony_runner.grants.paths import resolve
from polyphony_runner.grants.safe_files import open_beneath, open_resolved_folder, opened
from polyphony_runner.runtimes.protocol import Assignment
from polyphony_schemas.graph.answers import answer_ports
from polyphony_schemas.graph.model import Port
from polyphony_schemas.graph.unified_diff import MAX_BYTES, FileDiff, read_diff, try_diff
from polyphony_schemas.permissions.items import PATH_KEYS, path_of
from polyphony_schemas.values import JsonObject


def asks_for_diff(assignment: Assignment) -> bool:
    """Whether the task wants a diff."""
    expected = assignment.task.get("outputs")
    return (
        isinstance(expected, Mapping)
        and expected.get("format") == "diff"
        and not assignment.task.get("generated")
    )


def misfit(ports: Mapping[str, Port], outputs: JsonObject, assignment: Assignment) -> str | None:
    """Why a diff among the outputs fits no granted place, None when each fits. Blocking; the form was checked."""
    places = list(_places(assignment))
    for name in answer_ports(ports):
        text = outputs.get(name)
        if isinstance(text, str) and places:
            files = read_diff(text)
            reasons = [_try(files, place) for place in places]
            if None not in reasons:
                return f"the output {name!r} is a diff that does not apply: {reasons[0]}"
    return None


def _places(assignment: Assignment) -> Iterator[Path]:
    for key in PATH_KEYS:
        for item in assignment.grants.get(key, ()):
            text = path_of(item)
            yield assignment.places.get(text) or resolve(text, assignment.work)


def _try(files: list[FileDiff], place: Path) -> str | None:
    only = None if place.is_dir() else place.name

    def read(path: str) -> str | None:
        if only is not None and path != only:
            return None
        try:
            with (
                opened(open_resolved_folder(place if only is None else place.parent)) as folder,
                os.fdopen(open_beneath(folder, path), "rb") as stream,
            ):
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    return None
                return stream.read(MAX_BYTES).decode("utf-8", "surrogateescape")
        except OSError:  # not there, a link, or a folder: nothing that a diff changes
            return None

    return try_diff(files, read)
