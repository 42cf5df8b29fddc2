"""``models``: the names in ``with.model`` compared with the grant before dispatch. No boundary of the system."""

from __future__ import annotations

from collections.abc import Sequence

from polyphony_runner.grants.values import Grants, words
from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.values import JsonObject


def check_models(grants: Grants, parameters: JsonObject) -> None:
    """NodeError PLY3409 when ``model`` (one name or several) asks for one that was not granted."""
    asked = parameters.get("model")
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, Sequence):
        return
    granted = words(grants, "models")
    for name in names:
        if name not in granted:
            raise NodeError(
                "permission",
                "PLY3409",
                f"the model {name!r} was not granted; granted: {', '.join(granted) or 'none'}",
                hint=f"add it to the node and the ceiling:  permissions: {{models: [{name}]}}",
            )
