"""JSON Schema 2020-12, bounded: checked before use, never fetched, regular expressions by RE2, work counted.

``check_schema`` says what is wrong with a schema, ``resolve_refs`` bundles the files it names, ``validate`` checks
a value, ``wires.incompatible`` says why no value of one port can pass into another. ``$ref`` reaches ``#…``, a file
of the same package, or one of the shipped ``urn:polyphony:*`` schemas; nothing else.
"""

from polyphony_schemas.json_schema.builtin import BUILTIN
from polyphony_schemas.json_schema.bundling import resolve_refs
from polyphony_schemas.json_schema.checking import check_schema
from polyphony_schemas.json_schema.finding import SchemaFinding
from polyphony_schemas.json_schema.validation import validate
from polyphony_schemas.json_schema.wires import incompatible

__all__ = ["BUILTIN", "SchemaFinding", "check_schema", "incompatible", "resolve_refs", "validate"]
