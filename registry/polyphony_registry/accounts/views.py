"""``/api/v1/whoami``: whom the registry takes a token for."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response

from polyphony_registry.web import caller, json_response, services

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/api/v1/whoami")
def whoami() -> Response:
    """Account, namespaces, scopes and expiry of the token; the registry's identity."""
    who = caller()
    settings = services().settings
    return json_response(
        {
            "account": who.name,
            "namespaces": sorted(who.namespaces),
            "scopes": sorted(who.scopes),
            "expires": datetime.fromtimestamp(who.expires, UTC).isoformat().replace("+00:00", "Z"),
            "registry": settings.origin,
            "log": settings.log_origin,
            "log_key": str(services().log.verifier_key),
        }
    )
