"""Hash-locked requirements, read strictly: only pinned names with hashes, no options, no addresses.

>>> sha = "0" * 64
>>> read_requirements(f"# made by a tool\\nDemo.Tool==1.2 ; python_version >= '3.9' \\\\\\n    --hash=sha256:{sha}\\n".encode())
['demo-tool']
"""

from __future__ import annotations

import re

from polyphony_runner.package_index.simple_index import normalised
from polyphony_runner.runtimes.failures import NodeError

MAX_BYTES = 4 << 20
_HASH = r"--hash[= ]sha256:[0-9a-f]{64}"
# No options, and no ``$``: the tool would put in variables of its environment, which may hold credentials.
_MARKER = r"(?:(?!--)[A-Za-z0-9_.<>=!~'\"()*+, -])*?"
_LINE = re.compile(
    rf"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._, -]*\])?\s*==\s*[A-Za-z0-9.!+_-]+"
    rf"\s*(?:;{_MARKER})?(?:\s+{_HASH})+"
)


def read_requirements(data: bytes) -> list[str]:
    """The names of all projects, normalised, in order. NodeError PLY3601 names the line that is anything else."""
    if len(data) > MAX_BYTES:
        raise NodeError("configuration", "PLY3601", f"requirements of more than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NodeError(
            "configuration", "PLY3601", f"requirements are no UTF-8 at byte {error.start}"
        ) from None
    names = []
    for number, line in _lines(text):
        found = _LINE.fullmatch(line)
        if found is None:
            raise NodeError(
                "configuration",
                "PLY3601",
                f"line {number} of the requirements is {line[:120]!r}, expected NAME==VERSION --hash=sha256:…",
                hint="make the file with: uv pip compile --generate-hashes --universal",
            )
        names.append(normalised(found["name"]))
    return list(dict.fromkeys(names))


def _lines(text: str) -> list[tuple[int, str]]:
    """Logical lines with the number of their first physical one; comments and empty lines left out."""
    lines: list[tuple[int, str]] = []
    parts: list[str] = []
    start = 0
    for number, raw in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not parts:
            start = number
        if bare.endswith("\\"):
            parts.append(bare[:-1].strip())
            continue
        joined = " ".join([*parts, bare]).strip()
        parts = []
        if joined:
            lines.append((start, joined))
    if parts:
        lines.append((start, " ".join(parts)))
    return lines
