"""The line that binds a registry: address, log key, namespaces. Handed out by ``init``, ``serve`` and the pages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from polyphony_registry.settings import Settings


def add_line(settings: Settings, log_key: str, namespaces: Sequence[str]) -> str:
    """The line to hand to users."""
    words = ["polyphony", "registry", "add", settings.url, "--log-key", log_key]
    for namespace in namespaces:
        words += ["--namespace", namespace]
    return shlex.join(words)
