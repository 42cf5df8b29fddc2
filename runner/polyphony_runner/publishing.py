"""Publishing: check everything here first, sign what the bytes are, push the commit, register the version.

A version is one commit. What is signed (`PublishStatement`) binds registry, name, version, commit, tree, manifest
and permissions; all of it is computed from git's objects, and the registry computes it again from what was pushed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyphony_runner.api import Api
from polyphony_runner.credentials import Login, git_environment
from polyphony_runner.errors import ClientError
from polyphony_runner.git import git
from polyphony_runner.http import Transport
from polyphony_runner.manifest import Manifest, read_manifest
from polyphony_runner.package_files import PackageFiles, read_package_files
from polyphony_schemas.errors import PolyphonyError, UsageError
from polyphony_schemas.permissions import canonical_document, digest
from polyphony_schemas.problems import Problem
from polyphony_schemas.trust.bundle import sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.keys import Signer, hint_of
from polyphony_schemas.trust.statement import (
    Commit,
    KeyEntry,
    KeyIdentity,
    KeyPredicate,
    ManifestClaim,
    PublishPredicate,
    PublishStatement,
    Sha256,
    key_statement,
    publish_statement,
)
from polyphony_schemas.trust.tree_rules import refusals
from polyphony_schemas.values import JsonObject, JsonValue

LOCAL_OVERRIDES = "melody.local.yaml"
# Sent by the registry for a namespace that has no signer yet.
NO_SIGNER = "PLY4408"

# The problems of a package at the level that publishing asks for.
Check = Callable[[PackageFiles, str], list[Problem]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A package as it would be published, with everything that is in the way."""

    files: PackageFiles
    manifest: Manifest | None
    problems: tuple[Problem, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing is in the way."""
        return not any(problem.severity == "error" for problem in self.problems)

    def to_json(self, *, name: str | None = None, dry_run: bool = True) -> dict[str, object]:
        """The result document of ``publish`` before anything was sent."""
        manifest = self.manifest
        return {
            "name": name or (manifest.name if manifest else None),
            "version": manifest.version if manifest else None,
            "tree": self.files.tree,
            "permissions": manifest and digest(manifest.permissions),
            "permissions_document": manifest and canonical_document(manifest.permissions),
            "statement": None,
            "log_index": None,
            "dry_run": dry_run,
            "problems": [problem.to_json() for problem in self.problems],
        }


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry accepted."""

    name: str
    version: str
    statement: PublishStatement
    log_index: int
    enrolled: bool


def prepare(path: Path, check: Check) -> Prepared:
    """Read the package at ``path`` and find every problem; nothing is sent and nothing is changed."""
    files = read_package_files(path)
    problems = [
        _problem("PLY5703", refusal.path, f"{refusal.detail} ({refusal.rule})", "rename or remove it")
        for refusal in refusals(files.entries, structure=files.structure)
    ]
    if files.commit is None:
        problems.append(
            _problem(
                "PLY6708",
                "",
                f"{files.root} is not the root of a git work tree with everything committed; a version is a commit",
                f"git -C {files.root} init, add and commit, then publish again",
            )
        )
    if LOCAL_OVERRIDES in files.entries:
        problems.append(
            _problem(
                "PLY6709",
                LOCAL_OVERRIDES,
                "development overrides are no part of a package",
                f"git rm --cached {LOCAL_OVERRIDES} and add it to .gitignore",
            )
        )
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(files.texts())
    except ClientError as error:
        if error.code != "PLY6707":  # what makes a document unreadable is said with its place by the check
            problems.append(_problem(error.code, "", error.message, error.hint))
    else:
        problems.extend(check(files, manifest.path))
    if manifest is None and not problems:
        problems.extend(_unreadable(files, check))
    return Prepared(files, manifest, tuple(problems))


def choose_owner(root: Path, given: str | None, login: Login, transport: Transport) -> str:
    """The namespace to publish into: given, else from the ``origin`` remote, else the token's only one."""
    if given:
        return given
    try:
        remote = git(root, "remote", "get-url", "origin").decode().strip()
    except ClientError:
        remote = ""
    prefix = f"{login.url}/git/"
    if remote.startswith(prefix) and remote.count("/", len(prefix)) == 1:
        return remote[len(prefix) :].split("/")[0]
    spaces = Api.of(login, transport).whoami().get("namespaces")
    names = [str(one) for one in spaces] if isinstance(spaces, (list, tuple)) else []
    if len(names) == 1:
        return names[0]
    raise UsageError(
        "PLY6711",
        f"the token may publish into {', '.join(names) or 'no namespace'}; which one is meant?",
        hint="polyphony publish --owner OWNER",
        details={"namespaces": names},
    )


def publish(
    prepared: Prepared,
    *,
    owner: str,
    login: Login,
    signer: Signer,
    transport: Transport,
    may_enrol: Callable[[str, str], bool],
) -> Published:
    """Sign, push to staging, register. ``may_enrol(owner, key id)`` is asked when the namespace has no signer yet.

    Raises what the registry answers, PLY6702 when the push fails, PLY6710 when it recorded another package.
    """
    manifest, files = prepared.manifest, prepared.files
    if manifest is None or files.commit is None or not prepared.ready:
        raise ClientError(
            "PLY6712", "the package has problems", hint="polyphony publish --dry-run lists them"
        )
    name = f"{owner}/{manifest.name}"
    statement = build_statement(files, manifest, name=name, registry=login.origin, signer=signer)
    bundle = sign_statement(statement.to_bytes(), signer)
    _push(files.root, files.commit, name, login)
    body: dict[str, JsonValue] = {
        "version": manifest.version,
        "commit": files.commit,
        "bundle": encode_base64(bundle),
    }
    answer = _register(
        Api.of(login, transport), name, body, lambda: _enrolment(owner, login, signer, may_enrol)
    )
    if answer.get("tree") != files.tree or answer.get("bundle") != sha256_hex(bundle):
        raise ClientError(
            "PLY6710",
            f"the registry recorded the tree {answer.get('tree')!r}, published was {files.tree!r}",
            hint="somebody between you and the registry changes what is sent; tell its owner",
        )
    index = answer.get("log_index")
    return Published(
        name,
        manifest.version,
        statement,
        index if isinstance(index, int) else -1,
        bool(answer.get("enrolled")),
    )


def build_statement(
    files: PackageFiles, manifest: Manifest, *, name: str, registry: str, signer: Signer
) -> PublishStatement:
    """The facts about a version, computed from its bytes."""
    commit = files.commit or ""
    kind: Literal["sha1", "sha256"] = "sha1" if len(commit) == 40 else "sha256"
    return publish_statement(
        PublishPredicate(
            registry=registry,
            name=name,
            version=manifest.version,
            kind=manifest.kind,
            commit=Commit(format=kind, id=commit),
            tree=files.tree,
            manifest=ManifestClaim(path=manifest.path, sha256=sha256_hex(files.entries[manifest.path].data)),
            permissions=Sha256(sha256=digest(manifest.permissions)),
            publisher=KeyIdentity(kind="key", id=hint_of(signer.public_key())),
        )
    )


def _register(
    api: Api, name: str, body: Mapping[str, JsonValue], enrolment: Callable[[], str | None]
) -> JsonObject:
    try:
        return api.publish(name, body)
    except PolyphonyError as error:
        if error.code != NO_SIGNER:
            raise
        enrol = enrolment()
        if enrol is None:
            raise
    return api.publish(name, {**body, "enrol": enrol})


def _enrolment(owner: str, login: Login, signer: Signer, may_enrol: Callable[[str, str], bool]) -> str | None:
    """The bundle in which the new key names and signs itself, in base64, if a person wants that."""
    spki = signer.public_key()
    hint = hint_of(spki)
    if not may_enrol(owner, hint):
        return None
    statement = key_statement(
        KeyPredicate(
            registry=login.origin,
            name=owner,
            signer=KeyEntry(kind="key", id=hint, spki=encode_base64(spki)),
            publisher=KeyIdentity(kind="key", id=hint),
        )
    )
    return encode_base64(sign_statement(statement.to_bytes(), signer))


def _push(root: Path, commit: str, name: str, login: Login) -> None:
    """Push the commit to staging: no helper is asked, no hook runs, no redirect gets the token. PLY6714."""
    settings = ("credential.helper=", "core.hooksPath=/dev/null", "http.followRedirects=false")
    try:
        git(
            root,
            *(word for setting in settings for word in ("-c", setting)),
            "push",
            "--quiet",
            f"{login.url}/git/{name}.git",
            f"{commit}:refs/staging/{commit}",
            environment=git_environment(login),
        )
    except ClientError as error:
        if error.code != "PLY6702":
            raise
        told = str(error.details.get("stderr", "")).splitlines()
        said = [line.removeprefix("remote:").strip() for line in told if line.startswith("remote:")]
        said = [line for line in said if line] or [line for line in told if line.startswith("fatal:")]
        raise ClientError(
            "PLY6714",
            f"{login.origin} did not take the push of {name}: {'; '.join(said) or error.message}",
            hint="read what it says; polyphony whoami shows where this token may publish",
            details=error.details,
        ) from error


def _unreadable(files: PackageFiles, check: Check) -> list[Problem]:
    for name in ("melody.yaml", "melody.json", "extension.yaml", "extension.json"):
        if name in files.entries:
            return check(files, name)
    return []


def _problem(code: str, file: str, message: str, hint: str) -> Problem:
    return Problem(code, "error", file, 1, 1, "", message, hint)
