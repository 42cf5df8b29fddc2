"""``SearchIndex`` by whoosh: one folder, good to about ten thousand packages.

Words of the user are analysed and become terms; whoosh's query language is never parsed. A name counts most,
then keywords and summary, the README least. Nothing found: names of which every word of the query is within two edits.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from polyphony_registry.search.protocol import SearchEntry, SearchQuery

_BOOSTS = {"words": 8.0, "keywords": 4.0, "summary": 3.0, "edges": 2.0, "readme": 0.5}
_WORD = re.compile(r"\w+")
_MAX_WORDS = 12
_MAX_EDGE = 12
_README_LIMIT = 20_000


class WhooshIndex:
    """The index in ``folder``, made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = threading.Lock()

    def replace(self, entries: Iterable[SearchEntry]) -> None:
        """See SearchIndex."""
        with self._writing, self._index.writer() as writer:
            for entry in entries:
                writer.update_document(**_document(entry))

    def remove(self, names: Iterable[str]) -> None:
        """See SearchIndex."""
        with self._writing, self._index.writer() as writer:
            for name in names:
                writer.delete_by_term("name", name)

    def clear(self) -> None:
        """See SearchIndex."""
        from whoosh.writing import CLEAR

        with self._writing:
            self._index.writer().commit(mergetype=CLEAR)

    def query(self, query: SearchQuery) -> Sequence[str]:
        """See SearchIndex."""
        from whoosh.query.compound import And
        from whoosh.query.qcore import Every

        words = _words(query.text)
        narrowed = _narrowing(query)
        with self._index.searcher() as searcher:
            if not words and not query.text.strip():
                everything = Every()  # type: ignore[no-untyped-call]  # whoosh is partly typed
                found = searcher.search(And([everything, *narrowed]), limit=query.limit, sortedby="name")
                return _names(found)
            for attempt in (self._all_words(words), _near_names(words)):
                names = _names(searcher.search(And([attempt, *narrowed]), limit=query.limit))
                if names:
                    return names
        return []

    def suggest(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """See SearchIndex."""
        from whoosh.query.compound import And
        from whoosh.query.terms import Term

        words = [word[:_MAX_EDGE] for word in _words(prefix)]
        if not words:
            return []
        with self._index.searcher() as searcher:
            found = searcher.search(
                And([Term("edges", word) for word in words]), limit=limit, sortedby="name"
            )
            return _names(found)

    @cached_property
    def _index(self) -> Any:
        from whoosh import index

        self._folder.mkdir(parents=True, exist_ok=True)
        if index.exists_in(str(self._folder)):
            return index.open_dir(str(self._folder))
        return index.create_in(str(self._folder), _schema())

    def _all_words(self, words: Sequence[str]) -> Any:
        from whoosh.query.compound import And, Or
        from whoosh.query.terms import Term

        schema = self._index.schema
        wanted = []
        for word in words:
            terms = [Term("edges", word[:_MAX_EDGE], boost=_BOOSTS["edges"])]
            for name in ("words", "keywords", "summary", "readme"):
                stems = [token.text for token in schema[name].analyzer(word, mode="query")]
                terms += [Term(name, stem, boost=_BOOSTS[name]) for stem in stems]
            wanted.append(Or(terms))
        return And(wanted)


def _near_names(words: Sequence[str]) -> Any:
    from whoosh.query.compound import And
    from whoosh.query.terms import FuzzyTerm

    return And(
        [FuzzyTerm("words", word, maxdist=1 if len(word) < 6 else 2, prefixlength=1) for word in words]
    )


def _narrowing(query: SearchQuery) -> list[Any]:
    from whoosh.query.terms import Term

    terms = []
    if query.kind:
        terms.append(Term("kind", query.kind))
    if query.tag:
        terms.append(Term("tags", query.tag.lower()))
    return terms


def _names(found: Any) -> list[str]:
    return [str(hit["name"]) for hit in found]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("_", " "))[:_MAX_WORDS]


def _document(entry: SearchEntry) -> dict[str, str]:
    name = entry.name.replace("/", " ").replace("-", " ")
    edges = {part[:end] for part in name.split() for end in range(1, min(len(part), _MAX_EDGE) + 1)}
    return {
        "name": entry.name,
        "words": name,
        "edges": " ".join(sorted(edges)),
        "kind": " ".join(entry.kinds),
        "tags": ",".join(tag.lower() for tag in entry.keywords),
        "keywords": " ".join(entry.keywords).replace("-", " "),
        "summary": entry.summary,
        "readme": entry.readme[:_README_LIMIT],
    }


def _schema() -> Any:
    from whoosh.analysis.analyzers import SimpleAnalyzer, StemmingAnalyzer
    from whoosh.analysis.tokenizers import SpaceSeparatedTokenizer
    from whoosh.fields import ID, KEYWORD, TEXT, Schema

    return Schema(
        name=ID(stored=True, unique=True, sortable=True),
        words=TEXT(analyzer=SimpleAnalyzer()),
        edges=TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False),
        kind=KEYWORD(),
        tags=KEYWORD(commas=True, lowercase=True),
        keywords=TEXT(analyzer=StemmingAnalyzer(stoplist=None), phrase=False),
        summary=TEXT(analyzer=StemmingAnalyzer(stoplist=None), phrase=False),
        readme=TEXT(analyzer=StemmingAnalyzer(stoplist=None), phrase=False),
    )
