"""Step 7: the bytes are the signed tree, the tree is safe, its manifest and permissions are the signed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.archive import read_archive
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.tree import LINK, Entries, Entry, tree_id
from polyphony_schemas.trust.tree_rules import refusals
from polyphony_schemas.trust.verification.codes import refusal, refusing
from polyphony_schemas.trust.verification.model import Locked, ManifestFacts, Verified

# ``(path of the manifest, entries) -> facts``; raises ``FormatError`` for a manifest that cannot be used.
ReadManifest = Callable[[str, Entries], ManifestFacts]


def unpack(chunks: Iterable[bytes]) -> dict[str, Entry]:
    """(7) Read an archive: PLY5701 over a limit, PLY5702 for bytes that no package archive has."""
    try:
        return read_archive(chunks)
    except FormatError as error:
        code = "PLY5701" if error.code == "PLY5701" else "PLY5702"
        raise refusal(code, error.message) from None


def check_content(
    entries: Entries, verified: Verified, read_manifest: ReadManifest, *, locked: Locked | None = None
) -> None:
    """(7) Check limits and rules, tree id, manifest, permissions: PLY5701 to PLY5704, PLY5706."""
    found = refusals(entries)
    limits = [item for item in found if item.rule == "limits"]
    if limits:
        raise refusal(
            "PLY5701", f"{verified.name}: {limits[0]}", details={"refusals": [str(item) for item in limits]}
        )
    with refusing("PLY5703"):
        identity = tree_id(entries)
    if identity != verified.tree:
        raise refusal("PLY5702", f"the content has the tree {identity}, the log says {verified.tree}")
    if locked is not None and locked.version == verified.version and locked.tree != identity:
        raise refusal("PLY5702", f"the content has the tree {identity}, the lock says {locked.tree}")
    if found:
        raise refusal(
            "PLY5703", f"{verified.name}: {found[0]}", details={"refusals": [str(item) for item in found]}
        )
    _manifest(entries, verified, read_manifest)


def check_commit(commit: str, tree: str, verified: Verified) -> None:
    """(7) Check a clone: ``commit`` as git names it, ``tree`` as we computed it from its objects: PLY5705."""
    if commit != verified.commit:
        raise refusal("PLY5705", f"the tag names the commit {commit}, the log says {verified.commit}")
    if tree != verified.tree:
        raise refusal("PLY5705", f"the commit holds the tree {tree}, the log says {verified.tree}")


def _manifest(entries: Entries, verified: Verified, read_manifest: ReadManifest) -> None:
    path = verified.manifest_path
    entry = entries.get(path)
    if entry is None or entry.mode == LINK:
        raise refusal(
            "PLY5704", f"{verified.name} has no file {path!r}, which its statement names as manifest"
        )
    if sha256_hex(entry.data) != verified.manifest_sha256:
        raise refusal("PLY5704", f"{path} is not the manifest that was signed")
    with refusing("PLY5704", f"{path}: "):
        facts = read_manifest(path, entries)
    if facts.name != verified.name.split("/", 1)[1] or facts.version != verified.version:
        raise refusal(
            "PLY5704",
            f"{path} is of {facts.name} {facts.version}, expected {verified.name} {verified.version}",
        )
    if facts.permissions != verified.permissions:
        raise refusal(
            "PLY5706",
            f"the permissions in {path} hash to {facts.permissions}, signed is {verified.permissions}",
        )
