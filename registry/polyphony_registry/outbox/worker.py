"""Does what follows a commit, in order, once: only one process drains at a time, and every job may be repeated.

``seal`` publishes one checkpoint and all it needs: archives, bundles, tiles, index files, then the note.
``version`` writes the tag, moves ``main`` forward for plain ``git clone``, drops the staging ref, updates search. A ``seal`` that fails holds up later seals,
so nobody ever sees a checkpoint whose files are missing; a ``version`` that fails holds up nothing.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from polyphony_registry.database import Database
from polyphony_registry.git.protocol import DEFAULT_BRANCH, GitService, Repository
from polyphony_registry.index.writer import IndexWriter
from polyphony_registry.log.files import published_size, write_checkpoint, write_tiles
from polyphony_registry.log.keeper import SEAL_JOB, LogKeeper, newest_checkpoint
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_registry.outbox.models import Job
from polyphony_registry.packages.models import Bundle, Package, Version
from polyphony_registry.published import write_file
from polyphony_registry.search.protocol import SearchEntry, SearchIndex
from polyphony_registry.settings import Settings
from polyphony_schemas.trust.archive import pack_archive

_LOG = logging.getLogger(__name__)
VERSION_JOB = "version"


class Outbox:
    """The jobs of one registry. ``drain`` may be called at any time by anybody."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        git: GitService,
        log: LogKeeper,
        index: IndexWriter,
        search: SearchIndex,
    ) -> None:
        self._settings = settings
        self._database = database
        self._git = git
        self._log = log
        self._index = index
        self._search = search
        self._acts: dict[str, Callable[[Session, str], None]] = {
            SEAL_JOB: self._seal,
            VERSION_JOB: self._version,
        }

    def drain(self) -> int:
        """Do every waiting job; waits for another process that is at it. Returns how many are left (failed)."""
        with self._alone():
            blocked = False
            with self._database.read() as session:
                jobs = list(session.scalars(select(Job).order_by(Job.id)))
            for job in jobs:
                if job.kind == SEAL_JOB and blocked:
                    continue
                done = self._do(job)
                blocked = blocked or (job.kind == SEAL_JOB and not done)
        return self.waiting()

    def waiting(self) -> int:
        """How many jobs are not done."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Job)) or 0

    def republish(self) -> None:
        """Write everything that clients read again from the database: after a restore, or on a new disk."""
        with self._alone(), self._database.read() as session:
            newest = newest_checkpoint(session)
            if newest is not None:
                self._publish(session, newest, old_size=0, first=0)

    def restore(self) -> None:
        """At the start: put back what is missing of the published files and of the search index."""
        if not self.is_published():
            self.republish()
        if not self._settings.search_index.exists():
            self.rebuild_search()

    def rebuild_search(self) -> None:
        """Throw the search index away and fill it from the catalogue."""
        with self._alone(), self._database.read() as session:
            self._search.clear()
            pairs = session.execute(
                select(Package, Version).join(
                    Version, (Version.package == Package.id) & (Version.version == Package.latest)
                )
            )
            self._search.replace(_entry(package, version) for package, version in pairs)

    def is_published(self) -> bool:
        """Whether the newest stored checkpoint is the one clients see."""
        with self._database.read() as session:
            newest = newest_checkpoint(session)
        return newest is None or published_size(self._settings.published) == newest.size

    def _do(self, job: Job) -> bool:
        try:
            with self._database.read() as session:
                self._acts[job.kind](session, job.subject)
        except Exception as error:  # noqa: BLE001  # whatever it was, the job stays and is tried again
            _LOG.exception("outbox job %s %s failed", job.kind, job.subject)
            self._failed(job.id, repr(error))
            return False
        with self._database.write() as session:
            row = session.get(Job, job.id)
            if row is not None:
                session.delete(row)
        return True

    def _failed(self, identity: int, error: str) -> None:
        with self._database.write() as session:
            row = session.get_one(Job, identity)
            row.failures += 1
            row.error = error[:500]

    def _seal(self, session: Session, subject: str) -> None:
        checkpoint = session.get_one(Checkpoint, int(subject))
        before = (
            session.scalar(select(func.max(Checkpoint.size)).where(Checkpoint.size < checkpoint.size)) or 0
        )
        self._publish(session, checkpoint, old_size=before, first=before)

    def _publish(self, session: Session, checkpoint: Checkpoint, *, old_size: int, first: int) -> None:
        """Files in the order in which nothing points at what is not there: content, tiles, index, note."""
        published = self._settings.published
        records = (Record.index >= first, Record.index < checkpoint.size)
        for package, version in session.execute(
            select(Package, Version)
            .join(Version, Version.package == Package.id)
            .where(Version.index >= first, Version.index < checkpoint.size)
        ):
            self._content(session, package, version)
        write_tiles(session, published, old_size, checkpoint.size)
        for name in session.scalars(select(Record.name).where(*records).distinct()):
            if name is not None:
                self._index.write(session, name)
        write_file(published / "log" / "key", f"{self._log.verifier_key}\n".encode())
        write_checkpoint(published, checkpoint.note)
        self._index.extend_changes(session, checkpoint.size)

    def _content(self, session: Session, package: Package, version: Version) -> None:
        published = self._settings.published
        archive = published / "archive" / f"{version.tree}.tar.gz"
        if not archive.exists():
            files = self._git.files(Repository(package.owner, package.name), version.commit)
            write_file(archive, pack_archive(files.entries), immutable=True)
        data = session.get_one(Bundle, version.bundle).data
        write_file(published / "bundle" / f"{version.bundle}.json", data, immutable=True)

    def _version(self, session: Session, subject: str) -> None:
        version = session.get_one(Version, int(subject))
        package = session.get_one(Package, version.package)
        repository = Repository(package.owner, package.name)
        self._git.write_ref(repository, f"refs/tags/v{version.version}", version.commit)
        self._git.advance(repository, DEFAULT_BRANCH, version.commit)
        self._git.delete_ref(repository, f"refs/staging/{version.commit}")
        if package.latest == version.version:
            self._search.replace([_entry(package, version)])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self._settings.data / "outbox.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _entry(package: Package, version: Version) -> SearchEntry:
    kinds = (version.kind, version.role) if version.role else (version.kind,)
    return SearchEntry(
        package.full_name, version.version, kinds, version.summary, tuple(version.keywords), version.readme
    )
