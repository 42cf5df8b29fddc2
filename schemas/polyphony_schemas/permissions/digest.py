"""The canonical document of a permission map and its digest: what is signed, shown and consented to.

Empty keys are dropped, lists are sorted by their items' canonical bytes and unique, ``${ cel }`` and ``granted``
stay as written; the digest is SHA-256 of the canonical JSON (docs/install.md).

    >>> canonical_document({"run": ("make", "git", "make"), "env": ()})
    {'run': ['git', 'make']}
    >>> digest({"network": ("api.openai.com:443",), "read": (".",)})[:16]
    'cc049ba86e06638f'
    >>> digest({}) == EMPTY_DIGEST
    True
"""

from __future__ import annotations

from polyphony_schemas.permissions.keys import Declared
from polyphony_schemas.trust import canonical
from polyphony_schemas.values import Digest, JsonValue


def canonical_document(permissions: Declared) -> dict[str, JsonValue]:
    """The map that is signed: keys and items in canonical order, nothing twice, nothing empty."""
    document: dict[str, JsonValue] = {}
    for key in sorted(permissions):
        items = permissions[key]
        if items == "granted":
            document[key] = "granted"
        elif items:
            distinct = {canonical.encode(item): item for item in items}
            document[key] = [distinct[order] for order in sorted(distinct)]
    return document


def digest(permissions: Declared) -> Digest:
    """SHA-256 of the canonical document, 64 hexadecimal digits."""
    return Digest(canonical.digest(canonical_document(permissions)))


# Of a melody without a ceiling: it asks for nothing, so nobody has to be asked.
EMPTY_DIGEST = digest({})
