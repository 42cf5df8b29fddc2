"""Read text files by glob. Order is the sorted path, so equal folders give equal outputs."""

from __future__ import annotations

import re
from pathlib import Path


def glob_pattern(glob: str) -> re.Pattern[str]:
    """One glob as a regular expression over ``/``-separated relative paths; ``**/`` also means no folder at all."""
    out = ""
    index = 0
    while index < len(glob):
        if glob.startswith("**/", index):
            out, index = out + "(?:[^/]+/)*", index + 3
        elif glob.startswith("**", index):
            out, index = out + ".*", index + 2
        elif glob[index] == "*":
            out, index = out + "[^/]*", index + 1
        elif glob[index] == "?":
            out, index = out + "[^/]", index + 1
        else:
            out, index = out + re.escape(glob[index]), index + 1
    return re.compile(out, re.DOTALL)


def matcher(globs):
    """A test whether any of the globs matches a whole path."""
    patterns = [glob_pattern(glob) for glob in globs]
    return lambda path: any(pattern.fullmatch(path) for pattern in patterns)


def main(inputs, parameters, task, context):
    """Return the matching files with their text, and what was left out with the reason."""
    root = Path(inputs["path"])
    wanted, unwanted = matcher(parameters["patterns"]), matcher(parameters["exclude"])
    files, left_out, total = [], [], 0
    places = [root] if root.is_file() else sorted(root.rglob("*"))
    base = root.parent if root.is_file() else root
    for place in places:
        name = place.relative_to(base).as_posix()
        if place.is_symlink() or not place.is_file() or unwanted(name) or not wanted(name):
            continue
        size = place.stat().st_size
        if size > parameters["max_file"] or total + size > parameters["max_total"]:
            left_out.append({"path": name, "reason": f"{size} bytes are over the limit"})
            continue
        try:
            text = place.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            left_out.append({"path": name, "reason": "not UTF-8 text"})
            continue
        total += size
        files.append({"path": name, "text": text})
    context.progress(len(files), len(files), f"{len(files)} files, {total} bytes")
    return {"files": files, "left_out": left_out}
