"""Published files through Flask: the way for what the file view in front does not answer (wrong paths, races)."""

from __future__ import annotations

from flask import Blueprint, Response

from polyphony_registry.errors import UnknownError

blueprint = Blueprint("index", __name__)


@blueprint.get("/index/<path:_path>")
@blueprint.get("/namespace/<path:_path>")
@blueprint.get("/archive/<path:_path>")
@blueprint.get("/bundle/<path:_path>")
@blueprint.get("/log/tile/<path:_path>")
@blueprint.get("/log/checkpoint", defaults={"_path": ""})
@blueprint.get("/log/key", defaults={"_path": ""})
@blueprint.get("/changes.jsonl", defaults={"_path": ""})
def missing(_path: str) -> Response:
    """No such file is published."""
    raise UnknownError(
        "PLY4002", "nothing is published under this path", hint="compare the name: polyphony search"
    )
