"""The committed JSON Schemas are those of the models, are valid, and agree with the models."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from polyphony_schemas.published import json_schemas
from polyphony_schemas.yaml12 import read_yaml
from support.formats_documents import PACKAGES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "schemas" / "polyphony_schemas" / "generated"
SCHEMAS = json_schemas()


def test_the_committed_schemas_are_current() -> None:
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
    assert written == json.loads(json.dumps(SCHEMAS)), "run: python tools/generate_schemas.py"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_is_a_valid_schema_of_2020_12(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("path", sorted((ROOT / "cli/polyphony_cli/templates").rglob("*.yaml")), ids=str)
def test_takes_the_templates(path: Path) -> None:
    value = read_yaml(path.read_bytes().replace(b"@NAME@", b"sample"), path.name).value
    kind = path.stem if path.parent.name != "tests" else "test-case"
    jsonschema.Draft202012Validator(SCHEMAS[f"{kind}.json"]).validate(value)


@pytest.mark.parametrize("text", PACKAGES.values())
def test_takes_sample_extensions_and_refuses_an_unknown_key(text: str) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMAS["extension.json"])
    value = read_yaml(text.encode(), "extension.yaml").value
    assert isinstance(value, dict)
    validator.validate(value)
    validator.validate({**value, "x-mine": 1})
    assert not validator.is_valid({**value, "mine": 1})
