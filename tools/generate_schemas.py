"""Write the JSON Schemas of the formats: ``python tools/generate_schemas.py``; a test says whether they are current."""

from __future__ import annotations

import json
from pathlib import Path

from polyphony_schemas.published import json_schemas

FOLDER = Path(__file__).parent.parent / "schemas" / "polyphony_schemas" / "generated"


def rendered() -> dict[str, str]:
    """The text of each file."""
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, schema in json_schemas().items()
    }


def main() -> None:
    """Write all files, and remove what is no schema any more."""
    FOLDER.mkdir(exist_ok=True)
    texts = rendered()
    for old in FOLDER.glob("*.json"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
