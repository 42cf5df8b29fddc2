"""A package index on loopback (PEP 503 pages) and tiny wheels, made by the test."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.loopback import QuietHandler, on_loopback


def wheel(name: str, version: str, source: str, requires: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """File name and bytes of a wheel with one module ``name`` and a program of the same name."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{path},{_record_hash(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def sdist(name: str, version: str) -> tuple[str, bytes]:
    """File name and bytes of a source distribution whose build would be noticed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in (
            ("setup.py", "raise SystemExit('built')"),
            ("PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
        ):
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def locked(name: str, version: str, data: bytes) -> bytes:
    """One line of hash-locked requirements."""
    return f"{name}=={version} --hash=sha256:{sha256(data)}\n".encode()


@dataclass
class Index:
    """What the server serves, and what it was asked for. With ``password``, user ``ci`` has to give it."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    password: str = ""
    page_type: str = "text/html"
    port: int = 0

    def add(self, project: str, file: tuple[str, bytes]) -> bytes:
        self.files.setdefault(project, {})[file[0]] = file[1]
        return file[1]

    @property
    def url(self) -> str:
        user = f"ci:{self.password}@" if self.password else ""
        return f"http://{user}127.0.0.1:{self.port}/simple"

    def page(self, project: str) -> bytes | None:
        files = self.files.get(project)
        if files is None:
            return None
        links = (
            f'<a href="../../files/{project}/{name}#sha256={sha256(data)}">{name}</a>'
            for name, data in files.items()
        )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def answer(self, path: str) -> bytes | None:
        match path.strip("/").split("/"):
            case ["simple", project]:
                return self.page(project)
            case ["files", project, name]:
                return self.files.get(project, {}).get(name)
        return None


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    """Serve the index on a free loopback port."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            expected = f"Basic {base64.b64encode(f'ci:{index.password}'.encode()).decode()}"
            if index.password and self.headers.get("Authorization") != expected:
                self.answer(401, b"")
                return
            body = index.answer(self.path)
            kind = index.page_type if "simple" in self.path else "application/octet-stream"
            self.answer(404 if body is None else 200, body or b"", {"Content-Type": kind})

    with on_loopback(Handler) as index.port:
        yield index
