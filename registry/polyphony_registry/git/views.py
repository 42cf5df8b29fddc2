"""Smart HTTP: ``/git/OWNER/NAME.git/{info/refs,git-upload-pack,git-receive-pack}``.

Reading is free for all; pushing asks for a token that may publish into the namespace, and makes the repository
at the first push.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, cast

from flask import Blueprint, Response, request

from polyphony_registry.errors import UnknownError
from polyphony_registry.git.errors import GitError
from polyphony_registry.git.packets import FLUSH, copy_bounded, packet
from polyphony_registry.git.protocol import Repository, Service
from polyphony_registry.namespaces.services import check_part
from polyphony_registry.web import caller, services

blueprint = Blueprint("git", __name__, url_prefix="/git")

FETCH_LIMIT = 4 << 20
COMMANDS_ROOM = 64 * 1024


@blueprint.get("/<owner>/<name>.git/info/refs")
def advertise(owner: str, name: str) -> Response:
    """Refs and capabilities of one service."""
    service = request.args.get("service", "").removeprefix("git-")
    if service not in ("upload-pack", "receive-pack"):
        raise GitError(
            "PLY4309", "only smart HTTP is served", hint="use a git client from this decade", status=403
        )
    chosen = cast("Service", service)
    repository = _repository(owner, name, chosen)
    version = request.headers.get("Git-Protocol")
    lines = services().git.advertise(repository, chosen, version)
    return _stream(_with_header(chosen, lines), f"application/x-git-{chosen}-advertisement")


@blueprint.post("/<owner>/<name>.git/git-upload-pack")
def upload_pack(owner: str, name: str) -> Response:
    """One request of a fetch."""
    repository = _repository(owner, name, "upload-pack")
    with _body("upload-pack", FETCH_LIMIT) as body:
        answer = services().git.upload_pack(repository, body, request.headers.get("Git-Protocol"))
    return _stream(answer, "application/x-git-upload-pack-result")


@blueprint.post("/<owner>/<name>.git/git-receive-pack")
def receive_pack(owner: str, name: str) -> Response:
    """One push."""
    repository = _repository(owner, name, "receive-pack")
    with _body("receive-pack", services().settings.pack_limit + COMMANDS_ROOM) as body:
        answer = services().git.receive_pack(repository, body)
    return _stream(answer, "application/x-git-receive-pack-result")


def _repository(owner: str, name: str, service: Service) -> Repository:
    check_part(owner, "namespace")
    check_part(name, "package name")
    repository = Repository(owner, name)
    git = services().git
    if service == "receive-pack":
        caller().require("publish", owner)
        git.create(repository)
    elif not git.exists(repository):
        raise UnknownError("PLY4301", f"no repository {owner}/{name}", hint="polyphony search finds packages")
    return repository


def _body(service: Service, limit: int) -> IO[bytes]:
    if request.mimetype != f"application/x-git-{service}-request":
        raise GitError("PLY4309", f"content type {request.mimetype!r}", hint="use git itself", status=415)
    encoding = request.headers.get("Content-Encoding", "")
    if encoding not in ("", "gzip", "x-gzip"):
        raise GitError("PLY4309", f"content encoding {encoding!r}", hint="use git itself", status=415)
    # A file without a buffer of ours: the git program reads it as its stdin, from where we left it.
    target = tempfile.TemporaryFile(dir=services().settings.data, buffering=0)  # noqa: SIM115  # the caller closes it
    try:
        copy_bounded(request.stream, target, limit, gzipped=bool(encoding))
    except BaseException:
        target.close()
        raise
    return target


def _with_header(service: Service, lines: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield packet(f"# service=git-{service}\n") + FLUSH
        yield from lines
    finally:
        close = getattr(lines, "close", None)
        if close is not None:
            close()


def _stream(pieces: Iterator[bytes], media_type: str) -> Response:
    response = Response(pieces, mimetype=media_type)
    response.headers["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
    return response
