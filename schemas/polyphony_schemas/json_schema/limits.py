"""The bounds of schemas and instances, and the error codes of this package."""

from __future__ import annotations

from typing import Final

MAX_SCHEMA_BYTES: Final = 64 * 1024  # as compact JSON in UTF-8, bundled files included
MAX_DEPTH: Final = 32
MAX_SUBSCHEMAS: Final = 1_000
MAX_INSTANCE: Final = 16 * 1024 * 1024  # bytes as expressions.sizes.measure counts them
MAX_STEPS: Final = 1_000_000  # keyword applications in one validation, big values counting more
MAX_FINDINGS: Final = 50
MAX_WIRE_DEPTH: Final = 8

NOT_A_SCHEMA: Final = "PLY1201"
TOO_BIG: Final = "PLY1202"
BAD_REF: Final = "PLY1203"
BAD_PATTERN: Final = "PLY1204"
UNSUPPORTED: Final = "PLY1205"
INVALID: Final = "PLY1206"
TOO_MUCH_WORK: Final = "PLY1207"
