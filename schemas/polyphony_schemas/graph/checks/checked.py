"""What the checks look at: the document, its scopes, the compiled graph, and what is known around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.melody import Melody
from polyphony_schemas.program import PackageInterface


@dataclass(frozen=True, slots=True)
class Checked:
    """A melody under examination."""

    melody: Melody
    root: Scope
    compiled: CompiledMelody
    packages: Mapping[str, PackageInterface]
    schemas: Schemas
