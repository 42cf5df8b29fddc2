"""Publishing: sign what the bytes are, push the commit, register the version.

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
from polyphony_runner.http import Transport, printable
from polyphony_runner.manifest import Manifest
from polyphony_runner.package_files import PackageFiles
from polyphony_runner.preparing import Prepared
from polyphony_schemas.errors import PolyphonyError, UsageError
from polyphony_schemas.permissions.digest import digest
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
from polyphony_schemas.values import JsonObject, JsonValue

# Sent by the registry for a namespace that has no signer yet.
NO_SIGNER = "PLY4408"


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry accepted."""

    name: str
    version: str
    statement: PublishStatement
    log_index: int
    enrolled: bool


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
    settings = ("credential.helper=", "http.followRedirects=false")
    try:
        git(
            root,
            *(word for setting in settings for word in ("-c", setting)),
            "push",
            "--quiet",
            f"{login.url}/git/{name}.git",
            f"{commit}:refs/staging/{commit}",
            environment={**git_environment(login), "GIT_ALLOW_PROTOCOL": "http:https"},
        )
    except ClientError as error:
        if error.code != "PLY6702":
            raise
        told = str(error.details.get("stderr", "")).splitlines()
        if any(f"'refs/staging/{commit}': reference already exists" in line for line in told):
            return  # another publish of this very commit was a moment faster: the ref is named after its content
        said = [
            printable(line.removeprefix("remote:")).strip() for line in told if line.startswith("remote:")
        ]
        said = [line for line in said if line] or [line for line in told if line.startswith("fatal:")]
        why, hint = _refused_push("\n".join(told), name.partition("/")[0])
        raise ClientError(
            "PLY6714",
            f"{login.origin} did not take the push of {name}: {why or '; '.join(said) or error.message}",
            hint=hint,
            details=error.details,
        ) from error


def _refused_push(told: str, owner: str) -> tuple[str, str]:
    """The reason behind the bare status that git prints when a push is refused before it begins; "" for others."""
    if "returned error: 403" in told:
        return (
            f"the token may not publish into {owner!r}",
            f"polyphony whoami shows where it may; polyphony registry user add NAME --namespace {owner} lets it",
        )
    if any(
        words in told for words in ("returned error: 401", "Authentication failed", "could not read Username")
    ):
        return "the token is not valid any more", "polyphony login URL keeps another"
    if "Could not resolve host" in told or "Failed to connect" in told:
        return "it cannot be reached", "check the network, and that the registry is running"
    return "", "read what it says; polyphony whoami shows where this token may publish"
