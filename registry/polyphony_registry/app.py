"""The registry as a Flask application: one blueprint for each domain, one place for errors and headers.

Read ``services.py`` for the parts behind the views and ``publishing/services.py`` for the one transaction that
matters. ``front.py`` stands before all this: it answers for published files, and keeps slow clients off the threads.
"""

from __future__ import annotations

from flask import Flask, Response, request

from polyphony_registry import operations
from polyphony_registry.accounts import views as accounts
from polyphony_registry.git import views as git
from polyphony_registry.index import views as index
from polyphony_registry.log import views as log
from polyphony_registry.packages import views as packages
from polyphony_registry.pages import views as pages
from polyphony_registry.publishing import views as publishing
from polyphony_registry.search import views as search
from polyphony_registry.services import Services
from polyphony_registry.settings import Settings
from polyphony_registry.web import EXTENSION, register_error_handlers

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data: https:; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(settings: Settings) -> Flask:
    """The application of one data folder. Raises SetupError when the folder is not a registry."""
    app = Flask("polyphony_registry", static_folder=None, template_folder="pages/templates")
    # A redirect would carry the request's own Host header into an address.
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    app.extensions[EXTENSION] = Services.open(settings)
    app.jinja_options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    for domain in (accounts, packages, publishing, git, log, index, search, operations, pages):
        app.register_blueprint(domain.blueprint)
    register_error_handlers(app)
    pages.register_error_page(app)
    app.after_request(_secured)
    return app


def _secured(response: Response) -> Response:
    if not request.path.startswith("/git/"):
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response
