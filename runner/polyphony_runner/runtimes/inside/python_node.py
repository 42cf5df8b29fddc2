"""Inside the sandbox: call one Python function of an extension and speak protocol version 1 for it.

    python -I -S -X utf8 python_node.py MODULE:FUNCTION [SITE-PACKAGES]

The request is one line of JSON on standard input. Events go to a copy of descriptor 1; descriptor 1 itself points
at standard error from then on, so a stray ``print`` harms nothing. This file stands alone: it is copied into the
sandbox and imports nothing of the runner.
"""

import importlib
import json
import os
import sys

EXTENSION = "/ext"


class NodeFailure(Exception):  # noqa: N818  # what ``context.fail`` raises: a way out, no bug
    """Ends the node with a typed error."""

    def __init__(self, kind, message, retryable):
        super().__init__(message)
        self.event = {"type": "error", "kind": kind, "message": message, "retryable": retryable}


class Context:
    """What a function may know about its call, and how it speaks while it runs.

    Attributes: ``run``, ``node``, ``attempt``, ``deadline`` (RFC 3339 text, UTC) and ``secrets`` (name → file).
    """

    def __init__(self, request, emit):
        self.run = request.get("run")
        self.node = request.get("node")
        self.attempt = request.get("attempt")
        self.deadline = request.get("deadline")
        self.secrets = request.get("secrets") or {}
        self._emit = emit

    def secret(self, name):
        """The text of a granted secret, without a line end; None when nobody has a value for it."""
        path = self.secrets.get(name)
        if path is None:
            return None
        with open(path, encoding="utf-8") as stream:
            return stream.read().rstrip("\r\n")

    def log(self, message, level="info"):
        """A line for the run's log; level is debug, info, warning or error."""
        self._emit({"type": "log", "level": level, "message": str(message)})

    def progress(self, done, total=None, message=None):
        """How far the work is."""
        self._emit({"type": "progress", "done": done, "total": total, "message": message})

    def usage(self, model, input_tokens=0, output_tokens=0, usd=None):
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

    def artifact(self, name, path, media_type=None):
        """Keep a file; ``path`` is relative to the work folder, ``name`` a file port or free."""
        self._emit({"type": "artifact", "name": name, "path": os.fspath(path), "media_type": media_type})

    def fail(self, kind, message, retryable=False):
        """End this call with a typed error. Never returns."""
        raise NodeFailure(kind, str(message), bool(retryable))


def load(entry, site_packages=None):
    """The function ``module:function`` of the extension, its folder and its environment importable."""
    if site_packages:
        import site

        site.addsitedir(site_packages)
    sys.path.insert(0, EXTENSION)
    module, _, name = entry.partition(":")
    function = getattr(importlib.import_module(module), name, None)
    if not callable(function):
        raise ImportError(f"{module!r} has no function {name!r}")
    return function


def speak(descriptor):
    """A function that writes one event as a line to ``descriptor``."""

    def emit(event):
        line = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        data = memoryview(line.encode("utf-8"))
        while data:
            data = data[os.write(descriptor, data) :]

    return emit


def answer(get_function, emit, line):
    """Call the function with the request in ``line`` and emit its result or its error."""
    try:
        request = json.loads(line)
        context = Context(request, emit)
        function = get_function()
        outputs = function(request["inputs"], request["parameters"], request["task"], context)
        event = {"type": "result", "outputs": {} if outputs is None else outputs}
        emit(event)
    except NodeFailure as failure:
        emit(failure.event)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  # SystemExit too: the function did not return
        emit(_error_event(error))


def _error_event(error):
    import errno
    import traceback

    message = f"{type(error).__name__}: {error}"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if (
        full
        or (isinstance(error, OSError) and error.errno == errno.EAGAIN)
        or "can't start new thread" in message
    ):
        raise error  # a limit that was hit: the runner tells which from the way the program ends
    trace = "".join(traceback.format_exception(error))
    return {"type": "error", "kind": "exit", "message": message, "retryable": True, "trace": trace[-16384:]}


def claim_stdout():
    """A private copy of descriptor 1 for events; 1 itself becomes standard error."""
    events = os.dup(1)
    os.set_inheritable(events, False)
    os.dup2(2, 1)
    return events


def read_request(descriptor=0):
    """The first line of standard input; what follows (a cancel line) is left to the function."""
    parts = []
    while chunk := os.read(descriptor, 1 << 16):
        parts.append(chunk)
        if chunk.endswith(b"\n"):
            break
    return b"".join(parts)


def main(entry, site_packages=None):
    """One cold call."""
    emit = speak(claim_stdout())
    answer(lambda: load(entry, site_packages), emit, read_request())


if __name__ == "__main__":
    main(*sys.argv[1:3])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
