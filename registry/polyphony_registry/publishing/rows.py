"""The rows and records of one version, inside the publish transaction."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.accounts.services import Caller
from polyphony_registry.log.keeper import Draft, Seal
from polyphony_registry.log.models import Checkpoint
from polyphony_registry.namespaces.errors import NamingError
from polyphony_registry.namespaces.services import squashed
from polyphony_registry.packages.models import Bundle, Package, Version
from polyphony_registry.packages.services import highest
from polyphony_registry.publishing.errors import PublishError
from polyphony_registry.publishing.values import Checked, Published, Submission
from polyphony_schemas.trust.bundle import KeyBundle
from polyphony_schemas.trust.history import version_key
from polyphony_schemas.values import JsonObject


def existing_version(session: Session, submission: Submission, bundle: KeyBundle) -> Published | None:
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
    return answer_of(submission, row, note or "", repeated=True)


def package_row(session: Session, submission: Submission, *, now: int) -> Package:
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


def drafts_of(caller: Caller, checked: Checked, *, fresh: bool) -> list[Draft]:
    """The records of a version, in order: enrolment, claim of a new name, publish."""
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


def version_row(checked: Checked, caller: Caller, seal: Seal) -> Version:
    """The catalogue row of a version that was just sealed."""
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


def store_version(session: Session, package: Package, row: Version, bundle: bytes, digest: str) -> None:
    """Add bundle, package and version; the package then shows its highest version."""
    session.merge(Bundle(digest=digest, data=bundle))
    session.add(package)
    session.flush()
    others = list(session.scalars(select(Version.version).where(Version.package == package.id)))
    package.latest = highest([*others, row.version])
    row.package = package.id
    session.add(row)
    session.flush()


def answer_of(
    submission: Submission, row: Version, note: str, *, enrolled: bool = False, repeated: bool = False
) -> Published:
    """The published version as it is answered."""
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
