"""Write the JSON Schemas of the formats. ``--check`` only says whether they are current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generated_files import write_or_check
from polyphony_schemas.published import json_schemas

FOLDER = Path(__file__).parent.parent / "schemas" / "polyphony_schemas" / "generated"


def rendered() -> dict[str, str]:
    """The text of each file."""
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, schema in json_schemas().items()
    }


if __name__ == "__main__":
    texts = {FOLDER / name: text for name, text in rendered().items()}
    sys.exit(write_or_check(texts, [old for old in FOLDER.glob("*.json") if old not in texts]))
