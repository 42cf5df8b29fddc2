"""The publish: seven steps that may refuse, then one transaction that cannot be half done.

1. the caller may publish into the namespace       2. the commit was pushed to staging
3. the tree is safe, its id computed from the store  4. the manifest is valid and is this name and version
5. the statement says exactly what the bytes say     6. the signer is authorised, or enrols
7. nothing of that name and version exists
8. one transaction: version row, records, keyed map, signed checkpoint, outbox
9. the outbox publishes the files, writes the tag, drops the staging ref, updates search
"""

from __future__ import annotations

from polyphony_registry.accounts.services import Caller
from polyphony_registry.database import Database
from polyphony_registry.git.protocol import GitService, Repository
from polyphony_registry.log.keeper import LogKeeper, history
from polyphony_registry.namespaces.services import check_part
from polyphony_registry.outbox.models import Job
from polyphony_registry.outbox.worker import VERSION_JOB, Outbox
from polyphony_registry.publishing.errors import PublishError
from polyphony_registry.publishing.manifest import read_manifest
from polyphony_registry.publishing.rows import (
    answer_of,
    drafts_of,
    existing_version,
    package_row,
    store_version,
    version_row,
)
from polyphony_registry.publishing.signatures import (
    Facts,
    authorised_keys,
    check_statement,
    enrolled_key,
    read_bundle,
    verify_signer,
)
from polyphony_registry.publishing.values import Checked, Published, Submission
from polyphony_registry.settings import Settings
from polyphony_schemas.trust.bundle import KeyBundle
from polyphony_schemas.trust.keys import parse_spki_text
from polyphony_schemas.trust.statement import KeyEntry
from polyphony_schemas.trust.tree import tree_id


class Publishing:
    """Takes versions in."""

    def __init__(
        self, settings: Settings, database: Database, git: GitService, log: LogKeeper, outbox: Outbox
    ) -> None:
        self._settings = settings
        self._database = database
        self._git = git
        self._log = log
        self._outbox = outbox

    def publish(self, caller: Caller, submission: Submission, *, now: int) -> Published:
        """Publish a version and return it. The same bytes a second time give the same answer.

        Raises AccountError, NamingError, GitError, PublishError; nothing is kept then but the staging ref.
        """
        check_part(submission.owner, "namespace")
        check_part(submission.name, "package name")
        caller.require("publish", submission.owner)  # (1)
        bundle = read_bundle(submission.bundle)
        with self._database.read() as session:
            known = existing_version(session, submission, bundle)
        if known is None:
            checked = self._check(submission, bundle, now=now)
            known = self._commit(caller, checked, now=now)
        self._outbox.drain()  # (9)
        return known

    def _check(self, submission: Submission, bundle: KeyBundle, *, now: int) -> Checked:
        repository = Repository(submission.owner, submission.name)
        staged = self._git.resolve(repository, f"refs/staging/{submission.commit}")
        if staged != submission.commit:  # (2)
            raise PublishError(
                "PLY4401",
                f"the commit {submission.commit[:12]!r} was not pushed to refs/staging",
                hint="polyphony publish pushes and publishes in one go",
                status=409,
            )
        files = self._git.files(repository, submission.commit)  # (3)
        tree = tree_id(files.entries)
        manifest = read_manifest(files.entries)  # (4)
        if (manifest.name, manifest.version) != (submission.name, submission.version):
            raise PublishError(
                "PLY4405",
                f"{manifest.path} says {manifest.name} {manifest.version}, "
                f"the request {submission.name} {submission.version}",
                hint="publish under the manifest's own name and version",
            )
        facts = Facts(self._settings.origin, submission.full_name, files, tree, manifest)
        statement = check_statement(bundle, facts)  # (5)
        enrolment = self._check_signer(submission, bundle, now=now)  # (6)
        return Checked(submission, files, tree, manifest, bundle, statement, enrolment)

    def _check_signer(self, submission: Submission, bundle: KeyBundle, *, now: int) -> KeyEntry | None:
        with self._database.read() as session:
            keys = authorised_keys(history(session, {submission.full_name}), submission.full_name, now)
        entry = None
        if not keys and submission.enrol is not None:
            entry = enrolled_key(
                submission.enrol,
                registry=self._settings.origin,
                namespace=submission.owner,
                hint=bundle.hint,
            )
            keys = {entry.id: parse_spki_text(entry.spki)}
        verify_signer(bundle, keys, submission.full_name)
        return entry

    def _commit(self, caller: Caller, checked: Checked, *, now: int) -> Published:
        submission = checked.submission
        with self._database.write() as session:  # (8)
            known = existing_version(session, submission, checked.bundle)  # (7), again under the lock
            if known is not None:
                return known
            package = package_row(session, submission, now=now)
            fresh = package.id is None
            seal = self._log.append(session, drafts_of(caller, checked, fresh=fresh), now=now)
            row = version_row(checked, caller, seal)
            store_version(session, package, row, submission.bundle, checked.bundle.digest)
            session.add(Job(kind=VERSION_JOB, subject=str(row.id), created=now))
        return answer_of(submission, row, seal.note, enrolled=checked.enrolment is not None)
