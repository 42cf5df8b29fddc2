"""The bounds of documents, and the error codes of this package."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
MAX_NODES: Final = 200_000  # values of any kind in one document
MAX_GRAPH_NODES: Final = 2_000  # nodes of a melody, those of its scopes included
MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)

BAD_BYTES: Final = "PLY1001"
SYNTAX: Final = "PLY1002"
DUPLICATE_KEY: Final = "PLY1003"
TAG: Final = "PLY1004"
MERGE_KEY: Final = "PLY1005"
ANCHOR: Final = "PLY1006"
MANY_DOCUMENTS: Final = "PLY1007"
TOO_BIG: Final = "PLY1008"
KEY_TYPE: Final = "PLY1009"
NUMBER: Final = "PLY1010"
EMPTY: Final = "PLY1011"
