"""The publish: seven steps that may refuse, then one transaction that cannot be half done.

1. the caller may publish into the namespace       2. the commit was pushed to staging
3. the tree is safe, its id computed from the store  4. the manifest is valid and is this name and version
5. the statement says exactly what the bytes say     6. the signer is authorised, or enrols
7. nothing of that name and version exists
8. one transaction: version row, records, keyed map, signed checkpoint, outbox
9. the outbox publishes the files, writes the tag, drops the staging ref, updates search
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.accounts.services import Caller
from polyphony_registry.database import Database
from polyphony_registry.git.protocol import CommitFiles, GitService, Repository
from polyphony_registry.log.keeper import Draft, LogKeeper, Seal, history
from polyphony_registry.log.models import Checkpoint
from polyphony_registry.namespaces.errors import NamingError
from polyphony_registry.namespaces.services import check_part, squashed
from polyphony_registry.outbox.models import Job
from polyphony_registry.outbox.worker import VERSION_JOB, Outbox
from polyphony_registry.packages.models import Bundle, Package, Version
from polyphony_registry.packages.services import highest
from polyphony_registry.publishing.errors import PublishError
from polyphony_registry.publishing.manifest import Manifest, read_manifest
from polyphony_registry.publishing.signatures import (
    Facts,
    authorised_keys,
    check_statement,
    enrolled_key,
    read_bundle,
    verify_signer,
)
from polyphony_registry.settings import Settings
from polyphony_schemas.trust.bundle import KeyBundle
from polyphony_schemas.trust.history import version_key
from polyphony_schemas.trust.keys import parse_spki_text
from polyphony_schemas.trust.statement import KeyEntry, PublishStatement
from polyphony_schemas.trust.tree import tree_id
from polyphony_schemas.values import JsonObject


@dataclass(frozen=True, slots=True)
class Submission:
    """What a publisher sends. ``bundle`` and ``enrol`` are bytes as they will be stored and verified."""

    owner: str
    name: str
    version: str
    commit: str
    bundle: bytes
    enrol: bytes | None = None

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Published:
    """A version as it stands in the log. ``repeated``: it was there before, byte for byte."""

    name: str
    version: str
    tree: str
    permissions: str
    bundle: str
    signer: str
    log_index: int
    at: int
    checkpoint: str
    enrolled: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Checked:
    """A submission that passed steps 2 to 6."""

    submission: Submission
    files: CommitFiles
    tree: str
    manifest: Manifest
    bundle: KeyBundle
    statement: PublishStatement
    enrolment: KeyEntry | None


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
            known = _existing(session, submission, bundle)
        if known is None:
            checked = self._check(submission, bundle, now=now)
            known = self._commit(caller, checked, now=now)
        self._outbox.drain()  # (9)
        return known

    def _check(self, submission: Submission, bundle: KeyBundle, *, now: int) -> _Checked:
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
        return _Checked(submission, files, tree, manifest, bundle, statement, enrolment)

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

    def _commit(self, caller: Caller, checked: _Checked, *, now: int) -> Published:
        submission = checked.submission
        with self._database.write() as session:  # (8)
            known = _existing(session, submission, checked.bundle)  # (7), again under the lock
            if known is not None:
                return known
            package = _package(session, submission, now=now)
            fresh = package.id is None
            seal = self._log.append(session, _drafts(caller, checked, fresh=fresh), now=now)
            row = _version_row(checked, caller, seal)
            _store(session, package, row, submission.bundle, checked.bundle.digest)
            session.add(Job(kind=VERSION_JOB, subject=str(row.id), created=now))
        return _answer(submission, row, seal.note, enrolled=checked.enrolment is not None)


def _existing(session: Session, submission: Submission, bundle: KeyBundle) -> Published | None:
    """The version if it is there with exactly these bytes. Raises PublishError PLY4410 if with others."""
    row = session.scalar(
        select(Version)
        .join(Package, Version.package == Package.id)
        .where(
            Package.owner == submission.owner,
            Package.name == submission.name,
            Version.core == version_key(submission.version),
        )
    )
    if row is None:
        return None
    if (row.version, row.commit, row.bundle) != (submission.version, submission.commit, bundle.digest):
        raise PublishError(
            "PLY4410",
            f"{submission.full_name} {row.version} exists since log record {row.index} and never changes",
            hint="raise the version in the manifest, commit, and publish again",
            status=409,
            details={"tree": row.tree, "commit": row.commit, "log_index": row.index},
        )
    note = session.scalar(
        select(Checkpoint.note).where(Checkpoint.size > row.index).order_by(Checkpoint.size).limit(1)
    )
    return _answer(submission, row, note or "", repeated=True)


def _package(session: Session, submission: Submission, *, now: int) -> Package:
    """The package's row, a new one not yet added when there is none. Raises NamingError PLY4203."""
    alike = session.scalar(
        select(Package).where(
            Package.owner == submission.owner, Package.squashed == squashed(submission.name)
        )
    )
    if alike is None:
        return Package(
            owner=submission.owner,
            name=submission.name,
            squashed=squashed(submission.name),
            created=now,
            latest=submission.version,
        )
    if alike.name != submission.name:
        raise NamingError(
            "PLY4203",
            f"{submission.full_name!r} is too like {alike.full_name!r}",
            hint="choose a name that differs in more than hyphens",
            status=409,
        )
    return alike


def _drafts(caller: Caller, checked: _Checked, *, fresh: bool) -> list[Draft]:
    submission, manifest = checked.submission, checked.manifest
    drafts = []
    members: JsonObject
    if checked.enrolment is not None:
        signer = checked.enrolment.to_json()
        members = {"type": "key.add", "name": submission.owner, "signer": signer, "auth": "first"}
        drafts.append(Draft(members))
    if fresh:
        members = {"type": "name.claim", "name": submission.full_name, "owner": caller.account, "how": "new"}
        drafts.append(Draft(members))
    publish: JsonObject = {
        "type": "publish",
        "name": submission.full_name,
        "version": submission.version,
        "commit": checked.files.commit,
        "tree": checked.tree,
        "manifest": manifest.digest,
        "permissions": manifest.permissions_digest,
        "bundle": checked.bundle.digest,
        "signer": {"kind": "key", "id": checked.bundle.hint},
    }
    hints: JsonObject = {
        "kind": manifest.kind,
        "dependencies": dict(manifest.dependencies),
        "permissions": dict(manifest.permissions),
    }
    drafts.append(Draft(publish, hints))
    return drafts


def _version_row(checked: _Checked, caller: Caller, seal: Seal) -> Version:
    submission, manifest = checked.submission, checked.manifest
    said = checked.statement.predicate
    return Version(
        version=submission.version,
        core=version_key(submission.version),
        kind=manifest.kind,
        role=manifest.role,
        summary=manifest.summary,
        license=manifest.license,
        keywords=list(manifest.keywords),
        commit=submission.commit,
        tree=checked.tree,
        manifest=manifest.digest,
        permissions_digest=manifest.permissions_digest,
        permissions=dict(manifest.permissions),
        dependencies=dict(manifest.dependencies),
        document=dict(manifest.document),
        readme=manifest.readme,
        source=said.source.uri if "source" in said.model_fields_set else "",
        bundle=checked.bundle.digest,
        signer=checked.bundle.hint,
        index=seal.indexes[-1],
        publisher=caller.account,
        published=seal.at,
    )


def _store(session: Session, package: Package, row: Version, bundle: bytes, digest: str) -> None:
    session.merge(Bundle(digest=digest, data=bundle))
    session.add(package)
    session.flush()
    others = list(session.scalars(select(Version.version).where(Version.package == package.id)))
    package.latest = highest([*others, row.version])
    row.package = package.id
    session.add(row)
    session.flush()


def _answer(
    submission: Submission, row: Version, note: str, *, enrolled: bool = False, repeated: bool = False
) -> Published:
    return Published(
        name=submission.full_name,
        version=row.version,
        tree=row.tree,
        permissions=row.permissions_digest,
        bundle=row.bundle,
        signer=row.signer,
        log_index=row.index,
        at=row.published,
        checkpoint=note,
        enrolled=enrolled,
        repeated=repeated,
    )
