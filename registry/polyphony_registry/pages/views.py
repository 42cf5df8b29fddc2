"""The pages: home, search, namespace, package, version, and the page an error gets."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources

from flask import Blueprint, Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from polyphony_registry.binding import add_line
from polyphony_registry.errors import UnknownError
from polyphony_registry.namespaces.models import Namespace
from polyphony_registry.namespaces.services import namespace_names
from polyphony_registry.packages.services import counts, find_package, newest, of_owner, summaries
from polyphony_registry.pages.services import miniatures, moment, page_of
from polyphony_registry.search.views import read_query
from polyphony_registry.web import now, services
from polyphony_schemas.errors import PolyphonyError

blueprint = Blueprint("pages", __name__)

_STATIC = resources.files("polyphony_registry") / "pages" / "static"
_TYPES = {".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".txt": "text/plain"}
_HOME_PACKAGES = 12
_HOME_MELODIES = 5


@blueprint.get("/")
def home() -> Response:
    """Search first, then what is new."""
    with services().database.read() as session:
        latest = newest(session, _HOME_PACKAGES)
        packages, versions = counts(session)
        melodies = newest(session, _HOME_MELODIES, kind="melody")
        pictures = miniatures(session, [found.name for found in melodies])
    others = [found for found in latest if found not in melodies]
    values = {"melodies": melodies, "pictures": pictures, "others": others}
    return _page("home.html", packages=packages, versions=versions, **values)


@blueprint.get("/search")
def search() -> Response:
    """Search results."""
    query = read_query()
    names = services().search.query(query)
    with services().database.read() as session:
        results = summaries(session, names)
    return _page("search.html", query=query, results=results)


@blueprint.get("/<owner>")
def namespace(owner: str) -> Response:
    """The packages of a namespace."""
    with services().database.read() as session:
        if session.get(Namespace, owner) is None:
            raise UnknownError("PLY4204", f"no namespace {owner!r}", hint="search for a package instead")
        packages = of_owner(session, owner)
    return _page("namespace.html", owner=owner, packages=packages)


@blueprint.get("/<owner>/<name>")
def package(owner: str, name: str) -> Response:
    """A package at its newest version."""
    return _package(owner, name, None)


@blueprint.get("/<owner>/<name>/<version>")
def version(owner: str, name: str, version: str) -> Response:
    """A package at one version."""
    return _package(owner, name, version)


@blueprint.get("/static/<name>")
def static_file(name: str) -> Response:
    """Style sheet, font, icon; the address carries a digest, so the answer never changes."""
    suffix = name[name.rfind(".") :]
    if suffix not in _TYPES or name not in {entry.name for entry in _STATIC.iterdir()}:
        raise UnknownError("PLY4002", f"no file {name!r}")
    response = Response((_STATIC / name).read_bytes(), mimetype=_TYPES[suffix])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@blueprint.get("/favicon.ico")
def favicon() -> BaseResponse:
    """Where browsers look for an icon that is not asked for by address."""
    return redirect(asset("icon.svg"), 301)


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Pages may be indexed; the machine's paths need not be."""
    lines = ["User-agent: *", "Disallow: /api/", "Disallow: /git/", "Disallow: /search", ""]
    return Response("\n".join(lines), mimetype="text/plain")


@lru_cache(maxsize=32)
def asset(name: str) -> str:
    """The address of a static file, with its digest."""
    digest = hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def register_error_page(app: Flask) -> None:
    """People get a page for an error, programs get problem+json."""

    def error_page(error: PolyphonyError, status: int) -> Response:
        # Nothing is read for it: it may be the database that failed.
        wanted = request.path.strip("/").replace("/", " ")[:100] if status == 404 else ""
        body = render_template(
            "error.html",
            asset=asset,
            origin=services().settings.origin,
            error=error,
            status=status,
            wanted=wanted,
        )
        return Response(body, status, {"Cache-Control": "no-store"}, mimetype="text/html")

    app.extensions["polyphony-error-page"] = error_page


def _package(owner: str, name: str, version: str | None) -> Response:
    with services().database.read() as session:
        found = find_package(session, owner, name)
        chosen = found.latest if version is None else found.version(version)
        settings = services().settings
        bind = add_line(settings, str(services().log.verifier_key), [owner])
        page = page_of(session, found, chosen, url=settings.url, bind=bind, now=now())
    return _page("package.html", page=page)


def _page(template: str, **values: object) -> Response:
    found = services()
    with found.database.read() as session:
        bind = add_line(
            found.settings,
            str(found.log.verifier_key),
            namespace_names(session)[:3],
        )
    at = now()
    body = render_template(
        template,
        asset=asset,
        origin=found.settings.origin,
        bind_line=bind,
        ago=lambda when: moment(when, at),
        **values,
    )
    response = Response(body, mimetype="text/html")
    response.headers["Cache-Control"] = "public, max-age=60"
    return response
