"""Documents as text, in either notation, without loss: what is written reads back to the same value.

>>> print(write_yaml({"name": "no", "list": [1, "1", 1.5], "empty": {}}), end="")
name: "no"
list:
- 1
- "1"
- 1.5
empty: {}
"""

from __future__ import annotations

import json
import re

from polyphony_schemas.errors import FormatError
from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import read_json, read_yaml

LOSSY = "PLY1420"
# Texts that no reader of YAML, old or new, takes for anything else.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ ./-][A-Za-z0-9_]+)*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def write_json(value: JsonValue) -> str:
    """JSON with two spaces, keys in their order; raises FormatError (PLY1420) when reading it would differ."""
    return _checked(json.dumps(value, ensure_ascii=False, indent=2) + "\n", value, "json")


def write_yaml(value: JsonValue) -> str:
    """YAML in block form, keys in their order; raises FormatError (PLY1420) when reading it would differ."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes every text that could be taken for something else."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
        plain = _PLAIN.fullmatch(data) is not None and data.lower() not in _WORDS
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')

    Dumper.add_representer(str, text)
    written = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return _checked(str(written), value, "yaml")


def _checked(text: str, value: JsonValue, kind: str) -> str:
    read = (read_json if kind == "json" else read_yaml)(text.encode("utf-8", "surrogatepass"), kind)
    if read.problems or json.dumps(read.value) != json.dumps(value):
        raise FormatError(
            LOSSY,
            f"got a document that {kind} cannot hold without loss",
            hint="polyphony validate names the place",
        )
    return text
