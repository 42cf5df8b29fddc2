"""What can still be said of a melody whose shape is wrong in places, so that one call reports everything.

Each broken part is taken out: a broken node becomes one of an unknown package, a broken connection is left away, a
broken input takes anything. Findings that only say what was taken out are dropped.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from polyphony_schemas.graph.findings import Finding
from polyphony_schemas.melody import Melody
from polyphony_schemas.names import ID_PATTERN
from polyphony_schemas.problems import Problem
from polyphony_schemas.values import JsonValue

BAD_ID = "PLY1307"
_PLACEHOLDER = "unknown/unknown@*"
_DEFAULTS = {"melody": "v1", "name": "unnamed", "version": "0.0.0"}
# What may be wrong only because something was taken out.
_AFTER_CONNECTION = frozenset({"PLY1605", "PLY1609", "PLY1610", "PLY1618"})
_AFTER_PERMISSIONS = ("PLY17",)


@dataclass(slots=True)
class PartialMelody:
    """A document being mended; ``melody`` gives the rest that can be read."""

    value: dict[str, Any]
    broken: set[str] = field(default_factory=set)
    removed: dict[str, list[int]] = field(default_factory=dict)
    without_permissions: bool = False

    @classmethod
    def of(cls, value: JsonValue, problems: Iterable[Problem]) -> PartialMelody:
        """Take out what the problems name."""
        partial = cls(copy.deepcopy(value) if isinstance(value, dict) else {})
        for problem in problems:
            parts = [part.replace("~1", "/").replace("~0", "~") for part in problem.pointer.split("/")[1:]]
            partial._take_out(parts, problem.code)
        for pointer, numbers in partial.removed.items():
            connections = partial._at(pointer.split("/")[1:])
            for number in sorted(set(numbers), reverse=True):
                if isinstance(connections, list) and number < len(connections):
                    del connections[number]
        return partial

    def melody(self) -> Melody | None:
        """The rest as a melody; None when too much is broken."""
        try:
            return Melody.model_validate(self.value)
        except ValidationError:
            return None

    def findings(self, found: Iterable[Finding]) -> list[Finding]:
        """The findings that hold for the whole document too, at their places there."""
        return [replace(one, pointer=self._original(one.pointer)) for one in found if self._holds(one)]

    def _holds(self, finding: Finding) -> bool:
        if any(f"{finding.pointer}/".startswith(f"{pointer}/") for pointer in self.broken):
            return False
        if finding.code in _AFTER_CONNECTION and (self.broken or self.removed):
            return False
        return not (self.without_permissions and finding.code.startswith(_AFTER_PERMISSIONS))

    def _original(self, pointer: str) -> str:
        """Numbers of connections as they were before some were left away."""
        for connections, numbers in self.removed.items():
            found = re.match(re.escape(connections) + r"/(\d+)", pointer)
            if found:
                number = int(found[1])
                for gone in sorted(set(numbers)):
                    number += gone <= number
                return f"{connections}/{number}{pointer[found.end() :]}"
        return pointer

    def _take_out(self, parts: list[str], code: str) -> None:
        depth = _node_depth(parts)
        scope, rest = parts[:depth], parts[depth:]
        if rest[:1] == ["connections"] and len(rest) > 1 and rest[1].isdigit():
            pointer = _pointer([*scope, "connections"])
            self.removed.setdefault(pointer, []).append(int(rest[1]))
        elif depth:
            self._replace_node(scope, bad_name=code == BAD_ID and not rest)
        elif not parts:
            for key, default in _DEFAULTS.items():
                self.value.setdefault(key, default)
        else:
            self._take_out_part(parts, code)

    def _replace_node(self, path: list[str], *, bad_name: bool) -> None:
        nodes = self._at(path[:-1])
        if not isinstance(nodes, dict) or path[-1] not in nodes:
            return
        if bad_name:
            del nodes[path[-1]]
        else:
            nodes[path[-1]] = {"uses": _PLACEHOLDER, **_handlers(nodes[path[-1]])}
        self.broken.add(_pointer(path))

    def _take_out_part(self, parts: list[str], code: str) -> None:
        top = parts[0]
        inside = self.value.get(top)
        if top in _DEFAULTS:
            self.value[top] = _DEFAULTS[top]
        elif top == "inputs" and len(parts) > 1 and isinstance(inside, dict):
            inside[parts[1]] = {}
            if code == BAD_ID and len(parts) == 2:
                del inside[parts[1]]
            self.broken.add(_pointer(parts[:2]))
        elif top == "config" and len(parts) > 1 and isinstance(inside, dict):
            inside.pop(parts[1], None)
            self.without_permissions |= parts[1] == "permissions"
        else:
            self.value.pop(top, None)
            self.without_permissions |= top == "config"
            self.broken.add(_pointer(parts[:1]))

    def _at(self, path: list[str]) -> Any:
        here: Any = self.value
        for part in path:
            here = here.get(part) if isinstance(here, dict) else None
        return here


def _node_depth(parts: list[str]) -> int:
    """How many parts of a pointer lead to the innermost node."""
    depth = 0
    while len(parts) > depth + 1 and parts[depth] == "nodes":
        depth += 2
    return depth


def _handlers(node: Any) -> dict[str, Any]:
    """The handlers that a broken node names: what they see depends on it."""
    if not isinstance(node, dict):
        return {}
    kept: dict[str, Any] = {}
    if _is_id(node.get("undo")):
        kept["undo"] = node["undo"]
    on_error = node.get("on_error")
    if isinstance(on_error, dict):
        if _is_id(on_error.get("compensate")):
            kept["on_error"] = {"compensate": on_error["compensate"]}
        elif isinstance(on_error.get("fallback"), list) and all(map(_is_id, on_error["fallback"])):
            kept["on_error"] = {"fallback": on_error["fallback"]}
    return kept


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ID_PATTERN, value) is not None


def _pointer(parts: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
