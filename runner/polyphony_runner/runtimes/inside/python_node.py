"""Inside the sandbox: call one Python function of an extension and speak protocol version 1 for it.

    python -I -S -X utf8 cold.py MODULE:FUNCTION EXTENSION [SITE-PACKAGES]      one call, cold

or, in a warm worker, ``boot`` with the same three words and then what it returned, once for each call.

The request is one line of JSON on standard input. Events go to a copy of descriptor 1; descriptor 1 itself points
at standard error from then on, so a stray ``print`` harms nothing. This file stands alone: it is shown inside the
sandbox and imports nothing of the runner.

``import json`` takes as long as the start of Python itself, for the sake of regular expressions that one line from
the runner does not need: its two halves in C are used directly, set up the way ``json`` sets them up.
"""

from __future__ import annotations

import os
import sys

try:
    import _json as halves
except ImportError:  # another Python than CPython
    halves = None  # type: ignore[assignment]  # asked below

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes milliseconds to import, at every cold call
    from collections.abc import Callable
    from typing import Any, NoReturn

    Emit = Callable[[dict[str, Any]], None]
    Function = Callable[..., Any]

_TRACE = 16384


class NodeFailure(Exception):  # noqa: N818  # what ``context.fail`` raises: a way out, no bug
    """Ends the node with a typed error."""

    def __init__(self, kind: str, message: str, retryable: bool) -> None:
        super().__init__(message)
        self.event = {"type": "error", "kind": kind, "message": message, "retryable": retryable}


class Context:
    """What a function may know about its call, and how it speaks while it runs.

    Attributes: ``run``, ``node``, ``attempt``, ``deadline`` (RFC 3339 text, UTC) and ``secrets`` (name → file).
    """

    def __init__(self, request: dict[str, Any], emit: Emit) -> None:
        self.run: str = request["run"]
        self.node: str = request["node"]
        self.attempt: int = request["attempt"]
        self.deadline: str = request["deadline"]
        self.secrets: dict[str, str] = request["secrets"]
        self._emit = emit

    def secret(self, name: str) -> str | None:
        """The text of a granted secret, without a line end; None when nobody has a value for it."""
        path = self.secrets.get(name)
        if path is None:
            return None
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123  # pathlib takes long to import
            return stream.read().rstrip("\r\n")

    def log(self, message: object, level: str = "info") -> None:
        """A line for the run's log; level is debug, info, warning or error."""
        self._emit({"type": "log", "level": level, "message": str(message)})

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """How far the work is."""
        self._emit({"type": "progress", "done": done, "total": total, "message": message})

    def usage(self, model: str, input_tokens: int = 0, output_tokens: int = 0, usd: object = None) -> None:
        """What a model call took; ``usd`` is a decimal text."""
        event = {
            "type": "usage",
            "model": model,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
        }
        if usd is not None:
            event["usd"] = str(usd)
        self._emit(event)

    def artifact(self, name: str, path: str | os.PathLike[str], media_type: str | None = None) -> None:
        """Keep a file; ``path`` is relative to the work folder, ``name`` a file port or free."""
        self._emit({"type": "artifact", "name": name, "path": os.fspath(path), "media_type": media_type})

    def fail(self, kind: str, message: object, retryable: bool = False) -> NoReturn:
        """End this call with a typed error. Never returns."""
        raise NodeFailure(kind, str(message), bool(retryable))


def load(entry: str, extension: str, site_packages: str | None = None) -> Function:
    """The function ``module:function`` of the extension, its folder and its environment importable."""
    if site_packages:
        import site

        site.addsitedir(site_packages)
    sys.path.insert(0, extension)
    module, _, name = entry.partition(":")
    __import__(module)
    function = getattr(sys.modules[module], name, None)
    if function is None or not callable(function):
        raise ImportError(f"{module!r} has no function {name!r}")
    found: Function = function
    return found


class Rules:
    """How ``make_scanner`` reads: as ``json.loads`` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def decode(line: str) -> Any:
    """``json.loads`` of what the runner wrote."""
    if halves is None:
        import json

        return json.loads(line)
    return halves.make_scanner(Rules())(line, 0)[0]  # type: ignore[arg-type]  # any object with these names


def encode(event: dict[str, Any]) -> str:
    """``json.dumps``, compact, in Unicode, numbers finite."""
    if halves is None:
        import json

        return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = halves.encode_basestring
    return "".join(halves.make_encoder({}, refuse, text, None, ":", ",", False, False, False)(event, 0))


def refuse(value: object) -> NoReturn:
    """What ``json`` says of a value that is none of its own."""
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def speak(descriptor: int) -> Emit:
    """A function that writes one event as a line to ``descriptor``."""

    def emit(event: dict[str, Any]) -> None:
        data = memoryview((encode(event) + "\n").encode("utf-8"))
        while data:
            data = data[os.write(descriptor, data) :]

    return emit


def answer(get_function: Callable[[], Function], emit: Emit, line: bytes) -> None:
    """Call the function with the request in ``line`` and emit its result or its error."""
    try:
        request = decode(line.decode())
        context = Context(request, emit)
        outputs = get_function()(request["inputs"], request["parameters"], request["task"], context)
        emit({"type": "result", "outputs": {} if outputs is None else outputs})
    except NodeFailure as failure:
        emit(failure.event)
    except BaseException as error:  # SystemExit too: the function did not return
        if _is_limit(error):
            raise  # the runner tells which limit from the way the program ends
        emit(_error_event(error))


def _is_limit(error: BaseException) -> bool:
    """Whether the error is a bound of the sandbox that was reached."""
    import errno

    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EAGAIN, errno.ENOMEM)
    return isinstance(error, MemoryError) or "can't start new thread" in str(error)


def _error_event(error: BaseException) -> dict[str, Any]:
    import traceback

    trace = "".join(traceback.format_exception(error))[-_TRACE:]
    message = f"{type(error).__name__}: {error}"
    return {"type": "error", "kind": "exit", "message": message, "retryable": True, "trace": trace}


def claim_stdout() -> int:
    """A private copy of descriptor 1 for events; 1 itself becomes standard error."""
    events = os.dup(1)
    os.dup2(2, 1)
    return events


def read_request() -> bytes:
    """The first line of standard input; what follows (a cancel line) is left to the function."""
    parts = []
    while chunk := os.read(0, 1 << 16):
        parts.append(chunk)
        if chunk.endswith(b"\n"):
            break
    return b"".join(parts)


def call(get_function: Callable[[], Function]) -> None:
    """One call over the descriptors 0, 1 and 2."""
    answer(get_function, speak(claim_stdout()), read_request())


def boot(entry: str, extension: str, site_packages: str | None = None) -> Callable[[], None]:
    """Warm: import once; what is returned serves one call in a process of its own."""
    function = load(entry, extension, site_packages)
    return lambda: call(lambda: function)


def start(entry: str, extension: str, site_packages: str | None = None) -> NoReturn:
    """One cold call, and the end of the process."""
    call(lambda: load(entry, extension, site_packages))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads the function left behind do not keep the node alive
