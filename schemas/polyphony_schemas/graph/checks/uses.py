"""What packages a melody may use, and effects that nobody takes back."""

from __future__ import annotations

from fnmatch import fnmatchcase

from polyphony_schemas.graph.findings import NO_UNDO, NOT_ALLOWED_EXTENSION, Findings
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.melody import Melody


def check_uses(scope: Scope, melody: Melody, findings: Findings) -> None:
    """The steps of one scope."""
    allowed = melody.config.extensions
    handlers = {use.handler for use in scope.handlers}
    for name, node in scope.graph.nodes.items():
        package, at, _ = (node.package or "").partition("@")
        if allowed is not None and at and not any(fnmatchcase(package, rule) for rule in allowed):
            findings.error(
                NOT_ALLOWED_EXTENSION,
                scope.node_pointer(name, "uses"),
                f"got {package!r}, which config.extensions does not allow",
                f"add {package} to config.extensions",
            )
        if node.effects == "undoable" and node.undo is None and name not in handlers:
            findings.warning(
                NO_UNDO,
                scope.node_pointer(name),
                f"node {name!r} has effects that can be undone, but no undo",
                "name a node that takes them back under undo",
            )
