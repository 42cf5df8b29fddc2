"""What stands between the network and the application: slow clients cost no thread and no git slot.

An RSGI application (granian). A request body is taken in whole before a thread sees the request, within
a limit and a time; an answer is made whole before it is sent, large ones in a file that the server sends by
itself. So threads and git programs only ever work, and never wait for a client.

======================  ===========================================  ==================
request                 largest body                                 time to send it
======================  ===========================================  ==================
``git-receive-pack``    a pack, for whoever brings a known token;    600 s
                        else none: the application answers 401
``git-upload-pack``     4 MiB                                        60 s
anything else           the largest JSON document                    60 s
======================  ===========================================  ==================

One byte more is taken in than is allowed, so that the application itself refuses the body in its own words.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast

from polyphony_registry.errors import BusyError, RegistryError, RequestError
from polyphony_registry.file_view import FileView
from polyphony_registry.git.views import COMMANDS_ROOM, FETCH_LIMIT
from polyphony_registry.settings import Settings
from polyphony_registry.web import JSON_LIMIT, failure_of, is_known, problem_document, services_of, token_in

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Flask
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

_LOG = logging.getLogger(__name__)
_IN_MEMORY = 256 * 1024
_SILENCE = 20.0
_SHORT, _LONG = 60.0, 600.0
_SPOOLED_SECONDS = 60.0
_GIT = "/git/"
_GIT_WAITING = 8
_A = TypeVar("_A")
_B = TypeVar("_B")
_Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: bytes, or the path of a file that is sent and then removed."""

    status: int
    headers: _Headers
    data: bytes | Path


class Front:
    """Published files at once; everything else through threads, of which git has its own."""

    def __init__(self, settings: Settings, application: Flask) -> None:
        self._settings = settings
        self._application = application
        self._files = FileView(settings.published)
        self._pages = ThreadPoolExecutor(settings.threads, "pages")
        self._git = ThreadPoolExecutor(2 * settings.git_slots, "git")
        self._git_requests = 0

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """RSGI."""
        from granian._granian import RSGIProtocolClosed

        try:
            if not self._published(scope, protocol):
                _send(protocol, await self._answer(scope, protocol))
        except RSGIProtocolClosed:
            return

    def _published(self, scope: Scope, protocol: HTTPProtocol) -> bool:
        if scope.method not in ("GET", "HEAD"):
            return False
        found = self._files.answer(scope.path, scope.method, scope.headers.get("if-none-match"))
        if found is None:
            return False
        if isinstance(found.data, Path):
            protocol.response_file(found.status, found.headers, str(found.data))
        else:
            protocol.response_bytes(found.status, found.headers, found.data)
        return True

    async def _answer(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        limit, seconds = self._allowed(scope)
        if limit > FETCH_LIMIT and not await self._in_thread(self._pages, self._may_push, scope):
            limit = 0
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self._settings.spool)) as spooled:
            body = cast("IO[bytes]", spooled)
            try:
                async with asyncio.timeout(seconds):
                    await _take(protocol, body, limit)
            except TimeoutError:
                return _refusal(
                    RequestError(
                        "PLY4004", "the request did not arrive in time", hint="try again", status=408
                    )
                )
            except OSError as error:
                _LOG.exception("the request %s %s could not be kept", scope.method, scope.path)
                return _refusal(failure_of(error))
            return await self._handed_on(scope, environment_of(scope, body))

    async def _handed_on(self, scope: Scope, environ: WSGIEnvironment) -> Answer:
        """The application's answer. Git's requests wait for few threads of their own, and only so many may wait."""
        if not scope.path.startswith(_GIT):
            return await self._in_thread(self._pages, self._call, environ)
        if self._git_requests >= _GIT_WAITING * self._settings.git_slots:
            return _refusal(
                BusyError("PLY4005", "every git slot is taken", hint="try again in a few seconds")
            )
        self._git_requests += 1
        try:
            return await self._in_thread(self._git, self._call, environ)
        finally:
            self._git_requests -= 1

    async def _in_thread(self, pool: ThreadPoolExecutor, act: Callable[[_A], _B], value: _A) -> _B:
        return await asyncio.get_running_loop().run_in_executor(pool, act, value)

    def _allowed(self, scope: Scope) -> tuple[int, float]:
        """Bytes and seconds that the body of a request may take."""
        if scope.method in ("GET", "HEAD"):
            return 0, _SHORT
        if scope.path.endswith("/git-receive-pack"):
            return self._settings.pack_limit + COMMANDS_ROOM, _LONG
        return (FETCH_LIMIT if scope.path.startswith(_GIT) else JSON_LIMIT), _SHORT

    def _may_push(self, scope: Scope) -> bool:
        token = token_in(scope.headers.get("authorization") or "")
        return token is not None and is_known(services_of(self._application), token)

    def _call(self, environ: WSGIEnvironment) -> Answer:
        told: list[tuple[str, _Headers]] = []

        def start(status: str, headers: _Headers, _exc: object = None) -> object:
            told.append((status, headers))
            return None

        pieces = self._application(environ, cast("StartResponse", start))
        try:
            data = self._gather(pieces)
        except Exception as error:  # noqa: BLE001  # whatever breaks an answer off, the client is told so whole
            _LOG.exception("the answer to %s %s broke off", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return _refusal(failure_of(error))
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        status, headers = told[-1]
        kept = [(name.lower(), value) for name, value in headers if name.lower() != "content-length"]
        length = {name.lower(): value for name, value in headers}.get("content-length")
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        if environ["REQUEST_METHOD"] == "HEAD" and length is not None:
            size = int(length)
        return Answer(int(status[:3]), [*kept, ("content-length", str(size))], data)

    def _gather(self, pieces: Iterable[bytes]) -> bytes | Path:
        """The whole body: in memory while it is small, then in a file."""
        start, iterator = bytearray(), iter(pieces)
        for piece in iterator:
            start += piece
            if len(start) > _IN_MEMORY:
                break
        else:
            return bytes(start)
        with tempfile.NamedTemporaryFile(dir=self._settings.spool, delete=False) as file:
            try:
                file.write(start)
                file.writelines(iterator)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return Path(file.name)


async def _take(protocol: HTTPProtocol, body: IO[bytes], limit: int) -> None:
    """Copy the request's body, up to one byte more than ``limit``; TimeoutError when the client falls silent."""
    pieces, room = aiter(protocol), limit + 1
    while room > 0:
        try:
            piece = bytes(await asyncio.wait_for(anext(pieces), _SILENCE))
        except StopAsyncIteration:
            break
        body.write(piece[:room])
        room -= len(piece)
    body.seek(0)


def environment_of(scope: Scope, body: IO[bytes]) -> WSGIEnvironment:
    """The WSGI environment of a request. PATH_INFO holds UTF-8 as Latin-1 characters, as WSGI wants it."""
    size = body.seek(0, 2)
    body.seek(0)
    host, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(size)
    return environ


def _send(protocol: HTTPProtocol, answer: Answer) -> None:
    if isinstance(answer.data, bytes):
        protocol.response_bytes(answer.status, answer.headers, answer.data)
        return
    protocol.response_file(answer.status, answer.headers, str(answer.data))
    # The server opens the file at once; its name is not needed any more after that.
    asyncio.get_running_loop().call_later(_SPOOLED_SECONDS, answer.data.unlink, True)


def _refusal(error: RegistryError) -> Answer:
    body, headers = problem_document(error, error.status)
    return Answer(error.status, [(name.lower(), value) for name, value in headers.items()], body)
