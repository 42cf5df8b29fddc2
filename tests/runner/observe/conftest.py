"""Traces are tested where the extra ``otel`` is installed; an environment of the runner alone has it not."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = ["test_traces.py"] if find_spec("opentelemetry") is None else []
