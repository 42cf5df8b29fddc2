"""The seam to whatever searches. One contract test: ``tests/registry/test_search_contract.py``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """What is searched of one package. ``name`` is ``owner/name``, the key; ``kinds`` are the words ``kind`` of a query may be."""

    name: str
    version: str
    kinds: tuple[str, ...]
    summary: str
    keywords: tuple[str, ...]
    readme: str


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Words, and what narrows them. No words: everything, by name."""

    text: str = ""
    kind: str = ""
    tag: str = ""
    limit: int = 20


class SearchIndex(Protocol):
    """Finds packages. Readers may run while one writer changes the index, in whatever process."""

    def replace(self, entries: Iterable[SearchEntry]) -> None:
        """Put packages in, in place of what is there under their names; visible to the next query."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Take packages out; unknown names are fine."""
        ...

    def clear(self) -> None:
        """Take everything out."""
        ...

    def query(self, query: SearchQuery) -> Sequence[str]:
        """Names, best first, at most ``limit``. All words must match; when nothing does, near names are given.

        Any text is a fair query: there is no syntax in it.
        """
        ...

    def suggest(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """Names whose owner, name, or a hyphenated part of it, begins with ``prefix``."""
        ...
