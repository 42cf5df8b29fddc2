"""The journal: the one record of a run, a chain of events that is only ever appended to."""

from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.events import Event, EventType
from polyphony_runner.journal.file import FileJournal, read_journal
from polyphony_runner.journal.protocol import Journal, MemoryJournal

__all__ = ["Event", "EventType", "FileJournal", "Journal", "JournalError", "MemoryJournal", "read_journal"]
