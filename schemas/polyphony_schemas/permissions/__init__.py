"""Permissions: how they are written, what they mean together, and the digest that people consent to.

``model`` is the document, ``declared`` the plain values, ``effective`` what a node gets, ``compare`` what an update
adds, ``digest`` what is signed, ``words`` what people read.
"""

from polyphony_schemas.permissions.compare import Widening, widens
from polyphony_schemas.permissions.declared import Declared, Grants, ceiling_of, declared_of
from polyphony_schemas.permissions.digest import EMPTY_DIGEST, canonical_document, digest
from polyphony_schemas.permissions.effective import Effective, Missing, effective
from polyphony_schemas.permissions.words import describe

__all__ = [
    "EMPTY_DIGEST",
    "Declared",
    "Effective",
    "Grants",
    "Missing",
    "Widening",
    "canonical_document",
    "ceiling_of",
    "declared_of",
    "describe",
    "digest",
    "effective",
    "widens",
]
