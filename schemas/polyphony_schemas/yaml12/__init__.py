"""Read YAML 1.2 (core schema) and JSON documents, with the place of every value, refusing what surprises.

The syntax is libyaml's; the meaning of plain scalars is ours, so that ``NO`` and ``on`` are strings, ``0644`` is
644 and ``0o17`` is 15. Refused: duplicate and non-string keys, tags, anchors, aliases, merge keys, more than one
document, more than 1 MiB, nesting over 64, numbers that JSON cannot hold, bytes that are not UTF-8, control
characters. All problems of a document are reported together.

>>> document = read_yaml(b"port: 0o17\\ncountry: NO\\n", "melody.yaml")
>>> document.value
{'port': 15, 'country': 'NO'}
>>> document.places["/country"]
Place(line=2, column=10, key_line=2, key_column=1)
"""

from polyphony_schemas.yaml12.document import Document, Place, join_pointer
from polyphony_schemas.yaml12.limits import MAX_BYTES, MAX_DEPTH, MAX_GRAPH_NODES, MAX_NODES
from polyphony_schemas.yaml12.reader import read_document, read_json, read_yaml

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_GRAPH_NODES",
    "MAX_NODES",
    "Document",
    "Place",
    "join_pointer",
    "read_document",
    "read_json",
    "read_yaml",
]
