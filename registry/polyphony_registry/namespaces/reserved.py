"""Owners that nobody may claim: they would shadow a path of the server or a word of the formats.

A test derives the list from the route table: every first segment of a path, every first segment below ``/log/``.
"""

from __future__ import annotations

# Words of the formats: core nodes, overrides, operators.
FORMAT_WORDS = frozenset({"core", "local", "admin"})
# Only ``registry init`` gives it away.
FIRST_PARTY = "polyphony"

RESERVED_OWNERS = FORMAT_WORDS | frozenset(
    {
        "api",
        "archive",
        "bundle",
        "changes",
        "checkpoint",
        "favicon",
        "git",
        "healthz",
        "index",
        "key",
        "log",
        "map",
        "metrics",
        "namespace",
        "proof",
        "readyz",
        "robots",
        "schemas",
        "search",
        "static",
        "tile",
    }
)
