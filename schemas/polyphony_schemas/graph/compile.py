"""From a melody to its compiled graph.

References in ``with``, ``when``, ``items``, ``state`` and ``task`` become edges (docs/melody.md), defaults are
filled in, durations and sizes become numbers, and what the graph needs beyond the basics is named in
``features``. The checks of ``graph.checks`` run over the same walk.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.graph.interface import NO_FILES
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.melody import Melody
from polyphony_schemas.program import PackageInterface


def compile_melody(
    melody: Melody, packages: Mapping[str, PackageInterface], schemas: Schemas = NO_FILES
) -> CompiledMelody:
    """The graph of a melody whose packages are all known.

    ``packages`` is keyed by the ``uses`` texts of the melody, ``schemas`` knows the files that its schemas refer to.
    Raises ``FormatError`` (PLY1600) with every finding
    in ``details`` when the melody has errors, or when a package is missing.
    """
    from polyphony_schemas.graph.analysis import analyse

    return analyse(melody, packages, schemas).require()
