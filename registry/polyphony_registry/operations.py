"""What operators and programs ask of the server itself: health, metrics, schemas, the description of the API."""

from __future__ import annotations

from importlib import resources

from flask import Blueprint, Response
from sqlalchemy import select

from polyphony_registry.accounts.models import Account
from polyphony_registry.errors import UnknownError
from polyphony_registry.log.files import published_size
from polyphony_registry.log.keeper import newest_checkpoint
from polyphony_registry.openapi import document
from polyphony_registry.packages.services import counts
from polyphony_registry.web import json_response, now, services

blueprint = Blueprint("operations", __name__)

_VERSION = "0.0.4"


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """The database answers and what is stored is published."""
    with services().database.read() as session:
        session.scalar(select(Account.id).limit(1))
    ready = services().outbox.is_published()
    return Response("ready\n" if ready else "publishing\n", 200 if ready else 503, mimetype="text/plain")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Gauges in the text format of Prometheus."""
    found = services()
    with found.database.read() as session:
        packages, versions = counts(session)
        newest = newest_checkpoint(session)
    values = {
        "polyphony_packages": packages,
        "polyphony_versions": versions,
        "polyphony_log_size": newest.size if newest else 0,
        "polyphony_log_published_size": published_size(found.settings.published),
        "polyphony_log_age_seconds": now() - newest.at if newest else 0,
        "polyphony_outbox_waiting": found.outbox.waiting(),
    }
    text = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in values.items())
    return Response(text, content_type=f"text/plain; version={_VERSION}; charset=utf-8")


@blueprint.get("/schemas/<name>.json")
def schema(name: str) -> Response:
    """A JSON Schema of the formats, as the installed ``polyphony_schemas`` carries them."""
    folder = resources.files("polyphony_schemas") / "generated"
    known = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".json")}
    entry = known.get(f"{name}.json")
    if entry is None:
        raise UnknownError("PLY4002", f"no schema {name!r}", hint=f"there are: {', '.join(sorted(known))}")
    response = Response(entry.read_bytes(), mimetype="application/schema+json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The description of this API (OpenAPI 3.1)."""
    return json_response(document(services().settings), cache="public, max-age=3600")
