"""The JSON Schemas of a package: files that they refer to are bundled, ones that cannot be used count as anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.findings import Findings
from polyphony_schemas.json_schema import check_schema, resolve_refs, validate
from polyphony_schemas.values import JsonObject, JsonValue
from polyphony_schemas.yaml12 import read_json


@dataclass(frozen=True, slots=True)
class Schemas:
    """Where a document's schemas may refer to: ``file`` is the document's path in the package, ``files`` the others.

    >>> files = {"schemas/name.json": {"type": "string"}}
    >>> Schemas("melody.yaml", files).bundled({"$ref": "schemas/name.json"})["$ref"]
    '#/$defs/file:schemas~1name.json'
    """

    file: str = ""
    files: Mapping[str, JsonValue] = field(default_factory=dict)

    def bundled(self, schema: bool | JsonObject) -> JsonObject:
        """The schema as an object without references to files; ``{}`` (anything) when it cannot be used."""
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not schema or check_schema(schema, file=self.file, files=self.files):
            return {}
        found = resolve_refs(schema, file=self.file, files=self.files)
        return found if isinstance(found, Mapping) else {}

    def check(self, schema: object, pointer: str, findings: Findings) -> bool:
        """Report what keeps a schema from being used; gives whether it can be."""
        wrong = check_schema(schema, file=self.file, files=self.files)
        for found in wrong[:10]:
            findings.error(found.code, pointer + found.pointer, found.message, found.hint)
        return not wrong


def check_literal(value: JsonValue, schema: JsonObject, pointer: str, findings: Findings) -> None:
    """A value that stands in the document fits its (bundled) schema."""
    try:
        wrong = validate(value, schema)
    except FormatError:
        return  # the schema itself was reported at its own place
    for found in wrong[:5]:
        findings.error("PLY1606", pointer + found.pointer, found.message, found.hint)


class JsonFiles(Mapping[str, JsonValue]):
    """The JSON files of a package, read when a schema refers to them; what is no JSON is not there."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._read: dict[str, JsonValue] = {}

    def __getitem__(self, name: str) -> JsonValue:
        if name not in self._read:
            document = read_json(self._files[name], name)
            if document.problems:
                raise KeyError(name)
            self._read[name] = document.value
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return str(name).endswith(".json")

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._files if name.endswith(".json"))

    def __len__(self) -> int:
        return sum(1 for _ in self)
