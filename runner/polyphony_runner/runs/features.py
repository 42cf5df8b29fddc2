"""What a melody may need that this version does not do yet: refused by name where a run would be another one without
it, said plainly where the run itself is the same (docs/melody.md, "What this version runs").
"""

from __future__ import annotations

from polyphony_runner.runs.errors import RunError
from polyphony_schemas.graph.model import CompiledMelody

_RUNS = frozenset(
    {
        "computed bounds",
        "block",
        "sub-melody",
        "core/switch",
        "core/wait",
        "core/approve",
        "core/signal",
        "open map",
        "fallback",
        "compensate",
        "undo",
        "halt",
        "mutex",
        "mutex of scope melody",
        "concurrency group",
        "retention",
    }
)
# What runs exclude each other by: files of one home, which machines of a cluster do not share.
_ONE_HOME = frozenset({"concurrency group"})
_NOT_ACTED_ON = frozenset({"notify"})


def refuse_later_features(melody: CompiledMelody) -> None:
    """PLY2409 names everything the melody needs that this version does not run yet."""
    features = sorted(melody.features - _RUNS - _NOT_ACTED_ON)
    if features:
        raise RunError(
            "PLY2409",
            f"this melody needs what this version does not run yet: {', '.join(features)}",
            hint="validate and publish accept it; leave the feature out to run it now",
            details={"features": features},
        )


def refuse_on_a_cluster(melody: CompiledMelody) -> None:
    """PLY2409 names what would not hold between the machines of a cluster."""
    features = sorted(melody.features & _ONE_HOME)
    if features:
        raise RunError(
            "PLY2409",
            f"on a cluster this version does not hold: {', '.join(features)}",
            hint="run it without --executor cluster",
            details={"features": features},
        )


def not_acted_on(melody: CompiledMelody) -> list[str]:
    """The keys of ``config`` that change nothing yet."""
    return sorted(melody.features & _NOT_ACTED_ON)
