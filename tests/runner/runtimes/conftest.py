"""Tests of WebAssembly are left out where the runner stands alone: the extra ``wasm`` is not installed there."""

from importlib.util import find_spec

collect_ignore = ["test_wasm.py"] if find_spec("wasmtime") is None else []
