"""Step 7: the bytes of a verified version, from the store or the registry, and what its manifest says."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_runner.errors import ClientError
from polyphony_runner.folders import read_folder
from polyphony_runner.http import Progress
from polyphony_runner.install.resolve import Resolved
from polyphony_runner.manifest import Manifest, read_manifest
from polyphony_runner.store import PackageStore
from polyphony_schemas.errors import FormatError
from polyphony_schemas.permissions.digest import digest
from polyphony_schemas.trust.tree import LINK, Entries, Entry
from polyphony_schemas.trust.verification import ManifestFacts, check_content, unpack
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class Content:
    """The files of a version that passed step 7, and its manifest. ``stored``: they came from the store."""

    resolved: Resolved
    entries: dict[str, Entry]
    manifest: Manifest
    stored: bool


def fetch_content(resolved: Resolved, store: PackageStore, progress: Progress | None = None) -> Content:
    """Read the files from the store when they are there and whole, else download them; check them (step 7)."""
    verified = resolved.verified
    tree = TreeId(verified.tree)
    stored = store.has(tree) and store.recompute(tree) == tree
    with resolved.steps.step(7, f"the content is the signed tree {verified.tree}"):
        if stored:
            entries = read_folder(store.path(tree))
        else:
            entries = unpack([resolved.session.remote.archive(tree, progress)])
        check_content(entries, verified, manifest_facts)
    return Content(resolved, entries, read_manifest(texts(entries)), stored)


def manifest_facts(path: str, entries: Entries) -> ManifestFacts:
    """What the verification compares of a manifest; FormatError when it cannot be used."""
    try:
        manifest = read_manifest(texts(entries))
    except ClientError as error:
        raise FormatError(error.code, error.message, hint=error.hint) from None
    if manifest.path != path:
        raise FormatError("PLY6705", f"the tree's manifest is {manifest.path!r}, signed is {path!r}")
    return ManifestFacts(manifest.name, manifest.version, digest(manifest.permissions))


def texts(entries: Entries) -> dict[str, bytes]:
    """The bytes of the files by path, links left out."""
    return {path: entry.data for path, entry in entries.items() if entry.mode != LINK}
