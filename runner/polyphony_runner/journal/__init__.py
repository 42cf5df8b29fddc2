"""The journal: the one record of a run, a chain of events that is only ever appended to."""

from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.file import FileJournal, read_journal
from polyphony_runner.journal.protocol import Journal, MemoryJournal
from polyphony_schemas.journal import Event, EventType

__all__ = ["Event", "EventType", "FileJournal", "Journal", "JournalError", "MemoryJournal", "read_journal"]
