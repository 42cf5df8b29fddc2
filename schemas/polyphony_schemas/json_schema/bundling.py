"""Bundle the files that a schema refers to: afterwards every ``$ref`` is ``#…`` or ``urn:polyphony:*``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from polyphony_schemas.errors import FormatError
from polyphony_schemas.json_schema import limits
from polyphony_schemas.json_schema.builtin import BUILTIN, PREFIX
from polyphony_schemas.json_schema.finding import pointer_of
from polyphony_schemas.json_schema.subschemas import MANY, NAMED, ONE
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue


class RefError(FormatError):
    """A reference that leads nowhere allowed; ``pointer`` is its place in the schema that was given."""

    def __init__(self, message: str, *, hint: str, pointer: str) -> None:
        super().__init__(limits.BAD_REF, message, hint=hint, details={"pointer": pointer})
        self.pointer = pointer


def resolve_refs(
    schema: JsonObject | bool, *, file: str = "", files: Mapping[str, JsonValue] | None = None
) -> JsonObject | bool:
    """``schema`` with the files it names under ``$defs`` and every reference pointing there.

    ``file`` is the path (in the package, with ``/``) of the document that holds the schema; ``files`` maps such
    paths to what the files hold. Raises RefError (PLY1203).
    """
    if not isinstance(schema, Mapping):
        return schema
    bundle = _Bundle({} if files is None else files)
    result = bundle.rewrite(schema, file, "", (), 0)
    if not bundle.parts or not isinstance(result, Mapping):
        return cast("JsonObject", result)
    own = result.get("$defs")
    definitions = {**(own if isinstance(own, Mapping) else {}), **bundle.parts}
    return {**result, "$defs": definitions}


class _Bundle:
    """The files taken in so far, by their key under ``$defs``."""

    def __init__(self, files: Mapping[str, JsonValue]) -> None:
        self.files = files
        self.parts: dict[str, JsonValue] = {}

    def rewrite(
        self, value: JsonValue, file: str, root: str, path: tuple[str | int, ...], depth: int
    ) -> JsonValue:
        """The schema ``value`` of ``file``, whose own ``#`` is ``#root`` in the bundle."""
        if not isinstance(value, Mapping) or depth > limits.MAX_DEPTH + 1:
            return value
        result: dict[str, JsonValue] = {}
        for key, item in value.items():
            here = (*path, key)
            if key == "$ref" and isinstance(item, str):
                result[key] = self.reference(item, file, root, here)
            elif key in ("$id", "$schema") and not path:
                continue
            elif key in ONE:
                result[key] = self.rewrite(item, file, root, here, depth + 1)
            elif key in MANY and isinstance(item, Sequence) and not isinstance(item, str):
                result[key] = [
                    self.rewrite(one, file, root, (*here, n), depth + 1) for n, one in enumerate(item)
                ]
            elif key in NAMED and isinstance(item, Mapping):
                result[key] = {
                    name: self.rewrite(one, file, root, (*here, name), depth + 1)
                    for name, one in item.items()
                }
            else:
                result[key] = item
        return result

    def reference(self, reference: str, file: str, root: str, path: tuple[str | int, ...]) -> str:
        base, _, fragment = reference.partition("#")
        if fragment and not fragment.startswith("/"):
            raise RefError(
                f"got the reference {reference[:120]!r} to an anchor, expected a path like '#/$defs/name'",
                hint="name the place by its path",
                pointer=pointer_of(path),
            )
        if not base:
            return f"#{root}{fragment}" if root or fragment else "#"
        if base.startswith(PREFIX):
            if base not in BUILTIN:
                raise RefError(
                    f"got the unknown schema {base[:120]!r}, expected one of {', '.join(BUILTIN)}",
                    hint=did_you_mean(base, BUILTIN) or "use one of the shipped schemas",
                    pointer=pointer_of(path),
                )
            return reference
        return f"#{self.take(base, file, path)}{fragment}"

    def take(self, reference: str, file: str, path: tuple[str | int, ...]) -> str:
        """Bundle the file that ``reference`` in ``file`` names; gives the pointer of its root."""
        name = _relative(reference, file)
        if name is None or name not in self.files:
            raise RefError(
                f"got the reference {reference[:120]!r}, expected '#…', a JSON file of this package or urn:polyphony:…",
                hint=did_you_mean(name or reference, self.files)
                or "schemas are never fetched: copy it into the package",
                pointer=pointer_of(path),
            )
        key = f"file:{name}"
        root = f"/$defs/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in self.parts:
            self.parts[key] = True  # holds the place while the file refers to itself
            self.parts[key] = self.rewrite(self.files[name], name, root, (), 0)
        return root


def _relative(reference: str, file: str) -> str | None:
    """The path in the package that ``reference`` in ``file`` means; None when it leaves the package."""
    if ":" in reference or reference.startswith("/") or "\\" in reference:
        return None
    parts = file.split("/")[:-1]
    for part in reference.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
