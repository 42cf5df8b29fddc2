"""Agreeing to what a melody given by path may touch: asked once for each path and permissions digest (docs/melody.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from polyphony_runner.files import exclusive, write_atomic
from polyphony_runner.grants.paths import resolve
from polyphony_runner.runs.errors import RunConsentError
from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.permissions.keys import Grants
from polyphony_schemas.permissions.words import describe
from polyphony_schemas.values import JsonValue

# Shown what is asked for, in lines; whether the person agrees. None: there is nobody to ask.
AskConsent = Callable[[Sequence[str], str], bool]


def require_consent(
    ceiling: Grants,
    evaluated: Mapping[str, JsonValue],
    *,
    folder: Path,
    work: Path,
    kept: Path,
    accepted: str | None,
    ask: AskConsent | None,
) -> None:
    """Return when a person agreed, now or earlier; else ``RunConsentError`` PLY2412 with the flag to give."""
    wanted = digest(ceiling)
    if only_own_folder(evaluated, folder, work) or accepted == wanted:
        if accepted == wanted:
            remember(kept, folder, wanted)
        return
    if wanted in agreed_to(kept, folder):
        return
    if accepted is None and ask is not None and ask(describe(ceiling), wanted):
        remember(kept, folder, wanted)
        return
    why = "nobody agreed to them yet" if accepted is None else f"the flag names {accepted!r}"
    raise RunConsentError(
        "PLY2412",
        f"the melody asks for permissions and {why}: {'; '.join(describe(ceiling))}",
        hint=f"read them, then repeat with --accept-permissions {wanted}",
        details={"permissions": canonical_document(ceiling), "digest": wanted},
    )


def only_own_folder(evaluated: Mapping[str, JsonValue], folder: Path, work: Path) -> bool:
    """Whether nothing is asked for beyond reading the melody's own folder."""
    own = folder.resolve()
    for key, items in evaluated.items():
        for item in items if isinstance(items, (list, tuple)) else (items,):
            path = item.get("path") if isinstance(item, Mapping) else item
            if key != "read" or not isinstance(path, str):
                return False
            try:
                place = resolve(path, work)
            except NodeError:
                return False
            if not place.is_relative_to(own):
                return False
    return True


def agreed_to(kept: Path, folder: Path) -> Sequence[str]:
    """The digests somebody agreed to for a folder."""
    return _agreed(kept).get(str(folder), ())


def _agreed(kept: Path) -> dict[str, list[str]]:
    """The digests by path. A file that says something else says of nobody that they agreed: they are asked again."""
    try:
        value = json.loads(kept.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {path: list(digests) for path, digests in value.items() if isinstance(digests, list)}


def remember(kept: Path, folder: Path, wanted: str) -> None:
    """Keep that somebody agreed to a digest for a folder."""
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(kept.with_name(f".{kept.name}.lock")):
        agreed = _agreed(kept)
        digests = agreed.setdefault(str(folder), [])
        if wanted not in digests:
            digests.append(wanted)
            write_atomic(kept, json.dumps(agreed, indent=1, sort_keys=True).encode() + b"\n")
