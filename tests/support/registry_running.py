"""A real registry for tests: a data folder, server processes on a free loopback port, and publishers with keys."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from polyphony_registry.services import Services
from polyphony_registry.settings import Settings
from polyphony_registry.setup import Invitation, add_user, initialise, prepare
from polyphony_runner.manifest import read_manifest
from polyphony_runner.package_files import read_package_files
from polyphony_schemas.permissions.digest import digest
from polyphony_schemas.trust.bundle import sign_statement
from polyphony_schemas.trust.encoding import encode_base64, sha256_hex
from polyphony_schemas.trust.keys import KeySigner, hint_of
from polyphony_schemas.trust.statement import (
    Commit,
    KeyEntry,
    KeyIdentity,
    KeyPredicate,
    ManifestClaim,
    PublishPredicate,
    Sha256,
    key_statement,
    publish_statement,
)

ORIGIN = "registry.test"
EXTENSION = """\
extension: v1
name: {name}
version: {version}
kind: operator
summary: {summary}
license: MIT
keywords: [test]
inputs: {{text: {{schema: {{type: string}}}}}}
outputs: {{loud: {{schema: {{type: string}}}}}}
run: {{python: "node:main"}}
"""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def http(
    url: str,
    *,
    method: str = "GET",
    token: str | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request; error statuses are answers too."""
    sent = dict(headers or {})
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    if token:
        sent["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, headers=sent, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as found:
            return Answer(found.status, {k.lower(): v for k, v in found.headers.items()}, found.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


@dataclass
class Running:
    """A registry that is served. ``services`` look at the same data folder from this process."""

    settings: Settings
    url: str
    owner: Invitation
    process: subprocess.Popen[bytes]

    def services(self) -> Services:
        return Services.open(self.settings)

    def invite(self, name: str, *namespaces: str, **options: Any) -> Invitation:
        services = self.services()
        try:
            return add_user(services, name, namespaces, now=int(time.time()), **options)
        finally:
            services.close()

    def git_url(self, name: str, token: str | None = None) -> str:
        return f"{self.url}/git/{name}.git"

    def stop(self) -> int:
        """SIGTERM, as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def new_registry(folder: Path, *namespaces: str, **settings: Any) -> tuple[Settings, Invitation]:
    """A registry in ``folder``, not served."""
    chosen = Settings(data=folder, origin=ORIGIN, **settings)
    return chosen, initialise(chosen, "ada", namespaces or ("acme",), now=int(time.time()))


@contextmanager
def running_registry(settings: Settings, owner: Invitation) -> Iterator[Running]:
    """Serve a data folder in processes of its own until the block ends."""
    argv = [sys.executable, "-m", "polyphony_cli.main", "--json", "registry", "serve", "--port", "0"]
    errors = settings.data / "serve.err"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*argv, "--data", str(settings.data)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=os.environ.copy(),
        )
    try:
        told = _first_document(process, errors)
        yield Running(settings, told["url"], owner, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _first_document(process: subprocess.Popen[bytes], errors: Path) -> dict[str, Any]:
    assert process.stdout is not None
    text = b""
    for line in process.stdout:
        text += line
        if line == b"}\n":
            found: dict[str, Any] = json.loads(text)
            return found
    raise AssertionError(f"the registry did not start: {text!r} {errors.read_text()}")


def prepared(settings: Settings) -> Services:
    """The services of a data folder that is not served."""
    return prepare(settings)


@dataclass
class Publisher:
    """Somebody with a key and a git work tree for each package."""

    folder: Path
    token: str
    owner: str = "acme"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.key)

    @property
    def hint(self) -> str:
        return hint_of(self.signer.public_key())

    def work_tree(self, name: str, files: Mapping[str, str | bytes] | None = None, **facts: str) -> Path:
        """A committed work tree of an extension; ``files`` come on top."""
        tree = self.folder / name
        tree.mkdir(parents=True, exist_ok=True)
        if not (tree / ".git").exists():
            git(tree, "init", "--quiet", "--initial-branch=main")
        facts = {"name": name, "version": "1.0.0", "summary": f"Says {name} loudly", **facts}
        content: dict[str, str | bytes] = {
            "extension.yaml": EXTENSION.format(**facts),
            "node.py": "def main(inputs, parameters, task, context):\n    return {'loud': inputs['text'].upper()}\n",
            "README.md": f"# {name}\n\nSays things loudly.\n",
            **(files or {}),
        }
        for path, data in content.items():
            place = tree / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data.encode() if isinstance(data, str) else data)
        return self.commit(tree)

    def commit(self, tree: Path) -> Path:
        git(tree, "add", "--all", "--force")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", "Change")
        return tree

    def push(self, url: str, tree: Path, *refspecs: str) -> subprocess.CompletedProcess[str]:
        """Push with the token in a header, as the client does."""
        secret = base64.b64encode(f"token:{self.token}".encode()).decode()
        environment = os.environ | {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {secret}",
            "GIT_TERMINAL_PROMPT": "0",
        }
        return subprocess.run(
            ["git", "-C", str(tree), "push", url, *refspecs],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def stage(self, registry: str, tree: Path) -> str:
        """Push HEAD to staging and return its id."""
        commit = head(tree)
        done = self.push(
            f"{registry}/git/{self.owner}/{tree.name}.git", tree, f"{commit}:refs/staging/{commit}"
        )
        assert done.returncode == 0, done.stderr
        return commit

    def submission(self, tree: Path, /, *, enrol: bool = False, **changes: Any) -> dict[str, str]:
        """The request that publishes HEAD; ``changes`` replace members of the signed predicate."""
        files = read_package_files(tree)
        manifest = read_manifest(files.texts())
        commit = files.commit or ""
        members: dict[str, Any] = {
            "registry": ORIGIN,
            "name": f"{self.owner}/{manifest.name}",
            "version": manifest.version,
            "kind": manifest.kind,
            "commit": Commit(format="sha1", id=commit),
            "tree": files.tree,
            "manifest": ManifestClaim(
                path=manifest.path, sha256=sha256_hex(files.entries[manifest.path].data)
            ),
            "permissions": Sha256(sha256=digest(manifest.permissions)),
            "publisher": KeyIdentity(kind="key", id=self.hint),
            **changes,
        }
        statement = publish_statement(PublishPredicate.model_validate(members))
        body = {
            "version": manifest.version,
            "commit": commit,
            "bundle": encode_base64(sign_statement(statement.to_bytes(), self.signer)),
        }
        if enrol:
            body["enrol"] = encode_base64(self.enrolment())
        return body

    def enrolment(self, namespace: str | None = None) -> bytes:
        """The bundle in which this key names and signs itself."""
        statement = key_statement(
            KeyPredicate(
                registry=ORIGIN,
                name=namespace or self.owner,
                signer=KeyEntry(kind="key", id=self.hint, spki=encode_base64(self.signer.public_key())),
                publisher=KeyIdentity(kind="key", id=self.hint),
            )
        )
        return sign_statement(statement.to_bytes(), self.signer)

    def publish(self, registry: str, tree: Path, /, *, enrol: bool = True, **changes: Any) -> Answer:
        """Stage and publish HEAD."""
        self.stage(registry, tree)
        return self.post(registry, tree.name, self.submission(tree, enrol=enrol, **changes))

    def post(self, registry: str, name: str, body: Mapping[str, str]) -> Answer:
        url = f"{registry}/api/v1/packages/{self.owner}/{name}/versions"
        return http(url, method="POST", token=self.token, body=dict(body))


def git(tree: Path, *arguments: str) -> str:
    """Run git in a work tree and return what it prints."""
    done = subprocess.run(["git", "-C", str(tree), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def head(tree: Path) -> str:
    """The commit id of HEAD."""
    return git(tree, "rev-parse", "HEAD")
