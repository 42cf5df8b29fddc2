"""``/api/v1/search``."""

from __future__ import annotations

from flask import Blueprint, Response, request

from polyphony_registry.errors import RequestError
from polyphony_registry.packages.services import summaries
from polyphony_registry.search.protocol import SearchQuery
from polyphony_registry.web import json_response, services

blueprint = Blueprint("search", __name__)

MAX_LIMIT = 100
MAX_TEXT = 200


@blueprint.get("/api/v1/search")
def search() -> Response:
    """Packages that match ``q``, narrowed by ``kind`` and ``tag``; at most ``limit``."""
    query = read_query()
    names = services().search.query(query)
    with services().database.read() as session:
        results = summaries(session, names)
    return json_response({"results": [result.to_json() for result in results]}, cache="public, max-age=30")


def read_query() -> SearchQuery:
    """The query in the request's arguments. Raises RequestError."""
    text = request.args.get("q", "").strip()
    if len(text) > MAX_TEXT:
        raise RequestError(
            "PLY4601", f"a query of {len(text)} characters, at most {MAX_TEXT}", hint="use fewer words"
        )
    limit = request.args.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
        raise RequestError(
            "PLY4602", f"got limit {limit!r}, expected 1 to {MAX_LIMIT}", hint="leave it out for 20"
        )
    return SearchQuery(text, request.args.get("kind", ""), request.args.get("tag", ""), int(limit))
