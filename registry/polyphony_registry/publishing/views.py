"""``POST /api/v1/packages/OWNER/NAME/versions``."""

from __future__ import annotations

import dataclasses
import re

from flask import Blueprint, Response

from polyphony_registry.errors import RequestError
from polyphony_registry.publishing.values import Submission
from polyphony_registry.web import caller, json_body, json_response, now, services
from polyphony_schemas.trust.bundle import MAX_BYTES
from polyphony_schemas.trust.encoding import decode_base64
from polyphony_schemas.values import JsonObject

blueprint = Blueprint("publishing", __name__, url_prefix="/api/v1")

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MEMBERS = frozenset({"version", "commit", "bundle", "enrol"})


@blueprint.post("/packages/<owner>/<name>/versions")
def publish(owner: str, name: str) -> Response:
    """Publish a version whose commit was pushed to staging: 201, or 200 when exactly it was there."""
    who = caller()
    submission = read_submission(owner, name, json_body())
    published = services().publishing.publish(who, submission, now=now())
    document = dataclasses.asdict(published)
    return json_response(document, 200 if document.pop("repeated") else 201)


def read_submission(owner: str, name: str, body: JsonObject) -> Submission:
    """The request's members, checked for shape alone. Raises RequestError PLY4001."""
    unknown = sorted(set(body) - _MEMBERS)
    if unknown:
        raise _bad(f"the unknown member {unknown[0]!r}")
    commit = _text(body, "commit")
    if not _COMMIT.fullmatch(commit):
        raise _bad(f"commit {commit[:80]!r}, expected 40 or 64 hexadecimal digits")
    enrol = _bytes(body, "enrol") if body.get("enrol") is not None else None
    return Submission(owner, name, _text(body, "version"), commit, _bytes(body, "bundle"), enrol)


def _text(body: JsonObject, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 2 * MAX_BYTES:
        raise _bad(f"no text under {key!r}")
    return value


def _bytes(body: JsonObject, key: str) -> bytes:
    try:
        return decode_base64(_text(body, key))
    except ValueError as error:
        raise _bad(f"{key!r} that is {error}") from None


def _bad(what: str) -> RequestError:
    return RequestError("PLY4001", f"got {what}", hint="docs/registry.md shows the request")
