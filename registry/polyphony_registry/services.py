"""The parts of one running registry, wired once from its settings. Views reach them through ``web.services()``."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_registry.database import Database
from polyphony_registry.git.hosting import GitProgram
from polyphony_registry.git.protocol import GitService
from polyphony_registry.index.writer import IndexWriter
from polyphony_registry.log.keeper import LogKeeper
from polyphony_registry.log.key import load_log_key
from polyphony_registry.outbox.worker import Outbox
from polyphony_registry.publishing.services import Publishing
from polyphony_registry.search.protocol import SearchIndex
from polyphony_registry.search.whoosh_index import WhooshIndex
from polyphony_registry.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the views need."""

    settings: Settings
    database: Database
    git: GitService
    log: LogKeeper
    index: IndexWriter
    search: SearchIndex
    outbox: Outbox
    publishing: Publishing

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Open database, log key and indexes of a data folder. Raises SetupError when something is missing."""
        database = Database(settings.database)
        git = GitProgram(settings)
        log = LogKeeper(settings.log_origin, load_log_key(settings), settings.published)
        index = IndexWriter(settings.published)
        search = WhooshIndex(settings.search_index)
        outbox = Outbox(settings, database, git=git, log=log, index=index, search=search)
        publishing = Publishing(settings, database, git, log, outbox)
        return cls(settings, database, git, log, index, search, outbox, publishing)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
