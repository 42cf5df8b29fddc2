"""What every view shares: the services of the running app, the caller behind a request, problem+json."""

from __future__ import annotations

import base64
import binascii
import errno
import json
import logging
import time
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from polyphony_registry.accounts.errors import AccountError
from polyphony_registry.accounts.services import Caller, authenticate
from polyphony_registry.errors import RegistryError, RequestError
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.values import JsonObject

if TYPE_CHECKING:
    from polyphony_registry.services import Services

_LOG = logging.getLogger(__name__)
EXTENSION = "polyphony"
JSON_LIMIT = 256 * 1024


def services() -> Services:
    """The services of the app that answers this request."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """The services of an app, outside a request."""
    found: Services = app.extensions[EXTENSION]
    return found


def now() -> int:
    """Unix seconds, now."""
    return int(time.time())


def caller() -> Caller:
    """Who asks, by Bearer token or Basic password. Raises AccountError (401)."""
    token = token_in(request.headers.get("Authorization", ""))
    if token is None:
        raise AccountError("PLY4101", "the request carries no token", hint="polyphony login URL", status=401)
    with services().database.read() as session:
        return authenticate(session, token, now=now())


def is_known(found: Services, token: str) -> bool:
    """Whether a token is good for anything at all, outside a request."""
    try:
        with found.database.read() as session:
            authenticate(session, token, now=now())
    except AccountError:
        return False
    return True


def json_body() -> JsonObject:
    """The request's JSON object. Raises RequestError."""
    if request.content_length is not None and request.content_length > JSON_LIMIT:
        raise _bad(f"a body of {request.content_length} bytes, the limit is {JSON_LIMIT}")
    data = request.stream.read(JSON_LIMIT + 1)
    if len(data) > JSON_LIMIT:
        raise _bad(f"a body of more than {JSON_LIMIT} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad(f"a body that is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _bad(f"a JSON {type(value).__name__}, expected an object")
    return value


def json_response(value: object, status: int = 200, *, cache: str = "no-store") -> Response:
    """A JSON answer."""
    body = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    response = Response(body, status, mimetype="application/json")
    response.headers["Cache-Control"] = cache
    return response


def problem(error: PolyphonyError, status: int) -> Response:
    """The problem+json of an error (RFC 9457), with our code, hint and details as further members."""
    body, headers = problem_document(error, status)
    return Response(body, status, headers)


def problem_document(error: PolyphonyError, status: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of ``problem``, for where there is no request of Flask's."""
    document = {
        "type": f"urn:polyphony:error:{error.code}",
        "title": type(error).__name__,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "details": error.details,
    }
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="polyphony", charset="UTF-8"'
    if status == 503:
        headers["Retry-After"] = "2"
    return (json.dumps(document, ensure_ascii=False) + "\n").encode("utf-8", "replace"), headers


def register_error_handlers(app: Flask) -> None:
    """One place that turns every error of a request into an answer."""

    @app.errorhandler(RegistryError)
    def _ours(error: RegistryError) -> Response:
        return _answer(error, error.status)

    @app.errorhandler(PolyphonyError)
    def _formats(error: PolyphonyError) -> Response:
        return _answer(error, 422)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        ours = RegistryError(
            "PLY4003",
            f"{request.method} {request.path!r}: {error.name.lower()}",
            hint="see /api/v1/openapi.json",
            status=status,
        )
        if status == 404:
            ours = RegistryError(
                "PLY4002",
                f"nothing is served under {request.path!r}",
                hint="compare the address: a registry's has no path of its own, as polyphony registry add printed it",
                status=status,
            )
        return _answer(ours, status)

    @app.errorhandler(Exception)
    def _bug(error: Exception) -> Response:
        _LOG.error("unexpected error for %s %s", request.method, request.path, exc_info=error)
        failure = failure_of(error)
        return _answer(failure, failure.status)


def failure_of(error: Exception) -> RegistryError:
    """What clients are told of an error that is not theirs: a full disk by its name, everything else alike."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "database or disk is full" in str(error):
        return RegistryError(
            "PLY4015",
            "the registry's disk is full; what the log did not take is not published",
            hint="tell its operator, then try again",
            status=507,
        )
    message = "the registry failed; the operator finds the reason in its log"
    return RegistryError("PLY4000", message, hint="try again later")


def _answer(error: PolyphonyError, status: int) -> Response:
    page = current_app.extensions.get("polyphony-error-page")
    if page is not None and request.method == "GET" and _wants_page():
        response: Response = page(error, status)
        return response
    return problem(error, status)


def _wants_page() -> bool:
    machine = request.path.startswith(
        ("/api/", "/git/", "/log/", "/index/", "/namespace/", "/archive/", "/bundle/")
    )
    return (
        not machine and request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    )


def token_in(authorization: str) -> str | None:
    """The token in an Authorization header: Bearer, or the password of Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _bad(what: str) -> RequestError:
    return RequestError("PLY4001", f"got {what}", hint="see /api/v1/openapi.json")
