"""The codes of what can be wrong with the shape of a document: the same few rules for each format, one code each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

# The front of a format's codes: melody, extension, lock.
Family = Literal["PLY14", "PLY15", "PLY18"]
Rule = Literal[1, 2, 3, 4, 7]

MISSING_KEY: Final = 1
UNKNOWN_KEY: Final = 2
WRONG_TYPE: Final = 3
WRONG_VALUE: Final = 4
# Parts that are right by themselves and contradict each other.
CONTRADICTION: Final = 7

# Test cases are read with the codes of the melody that they travel with; a lock has no parts that could contradict.
SHAPE_CODES: Final[Mapping[Family, Mapping[int, str]]] = {
    "PLY14": {1: "PLY1401", 2: "PLY1402", 3: "PLY1403", 4: "PLY1404", 7: "PLY1407"},
    "PLY15": {1: "PLY1501", 2: "PLY1502", 3: "PLY1503", 4: "PLY1504", 7: "PLY1507"},
    "PLY18": {1: "PLY1801", 2: "PLY1802", 3: "PLY1803", 4: "PLY1804"},
}
