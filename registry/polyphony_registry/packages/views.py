"""``/api/v1/packages/OWNER/NAME``: the catalogue for programs that do not verify. Clients that install read the index."""

from __future__ import annotations

from flask import Blueprint, Response

from polyphony_registry.packages.services import find_package
from polyphony_registry.web import json_response, services

blueprint = Blueprint("packages", __name__, url_prefix="/api/v1")


@blueprint.get("/packages/<owner>/<name>")
def package(owner: str, name: str) -> Response:
    """A package and its versions, newest first."""
    with services().database.read() as session:
        found = find_package(session, owner, name)
    document = {
        "name": found.full_name,
        "latest": found.latest.version,
        "versions": [version.to_json() for version in found.versions],
    }
    return json_response(document, cache="public, max-age=30")
