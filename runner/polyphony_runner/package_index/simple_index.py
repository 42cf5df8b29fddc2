"""A small reader of simple package indexes (PEP 503 in HTML, PEP 691 in JSON): which files a project has.

It builds nothing, installs nothing and imports only the standard library, so the same file also runs inside a
sandbox: ``python simple_index.py NAME VERSION FOLDER [INDEX…]`` downloads one source distribution.

>>> page = b'<a href="../../files/demo-1.0.tar.gz#sha256=' + b"0" * 64 + b'" data-yanked="">demo-1.0.tar.gz</a>'
>>> parse_page("https://index.example/simple/demo/", "text/html", page)[0].url
'https://index.example/files/demo-1.0.tar.gz'
>>> normalised("Zope.Interface")
'zope-interface'
"""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
MAX_PAGE = 64 << 20
SECONDS = 60.0
_CHUNK = 1 << 16
_SDIST = re.compile(r"\.(tar\.gz|zip)$")


class IndexReadError(Exception):
    """An index could not be read, or has not what was asked for."""


@dataclass(frozen=True)
class IndexFile:
    """One file of a project. ``sha256`` is None where the index gives none."""

    name: str
    url: str
    sha256: str | None
    yanked: bool = False

    @property
    def is_wheel(self) -> bool:
        """Whether it is a built distribution."""
        return self.name.endswith(".whl")

    @property
    def is_sdist(self) -> bool:
        """Whether it is a source distribution."""
        return _SDIST.search(self.name) is not None


def normalised(name: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_files(index: str, name: str, *, certificates: str | None = None) -> list[IndexFile]:
    """All files the index lists for a project, in the index's order; empty when it does not know the project.

    ``index`` is the URL of its root (``https://…/simple`` or ``file://…``), credentials included. Raises
    ``IndexReadError`` when the page cannot be read.
    """
    page = f"{index.rstrip('/')}/{normalised(name)}/"
    if page.startswith("file:"):
        folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(page).path))
        file = folder / "index.html"
        return parse_page(page, "text/html", file.read_bytes()) if file.is_file() else []
    fetched = _fetch(page, ACCEPT, certificates)
    return [] if fetched is None else parse_page(*fetched)


def parse_page(url: str, media_type: str, data: bytes) -> list[IndexFile]:
    """The files a project page lists; relative links are resolved against ``url``."""
    if "json" in media_type:
        try:
            files = json.loads(data)["files"]
            return [
                IndexFile(
                    str(file["filename"]),
                    urllib.parse.urljoin(url, str(file["url"])).partition("#")[0],
                    file.get("hashes", {}).get("sha256"),
                    bool(file.get("yanked")),
                )
                for file in files
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexReadError(f"the page {shown(url)} is no project page: {error}") from error
    parser = _Links(url)
    parser.feed(data.decode("utf-8", "replace"))
    return parser.files


def shown(url: str) -> str:
    """A URL without its credentials, for messages."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _Links(html.parser.HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.files: list[IndexFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        href = found.get("href")
        if tag == "base" and href:
            self._base = urllib.parse.urljoin(self._base, href)
        if tag != "a" or not href:
            return
        target, _, fragment = urllib.parse.urljoin(self._base, href).partition("#")
        name = urllib.parse.unquote(urllib.parse.urlsplit(target).path.rpartition("/")[2])
        digest = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
        self.files.append(IndexFile(name, target, digest[1] if digest else None, "data-yanked" in found))


def _fetch(url: str, accept: str, certificates: str | None) -> tuple[str, str, bytes] | None:
    """``(final URL, media type, bytes)``; None when there is no such page."""
    try:
        with _open(url, accept, certificates) as response:
            data = response.read(MAX_PAGE + 1)
            media_type = response.headers.get_content_type()
            final = response.geturl()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise IndexReadError(f"{shown(url)} answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise IndexReadError(f"{shown(url)} cannot be read: {error}") from None
    if len(data) > MAX_PAGE:
        raise IndexReadError(f"{shown(url)} has more than {MAX_PAGE} bytes")
    return final, media_type, data


def _open(url: str, accept: str, certificates: str | None):  # type: ignore[no-untyped-def]  # urllib has no name for it
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"the scheme {parts.scheme!r}, expected http or https")
    headers = {"Accept": accept, "User-Agent": "polyphony"}
    host = parts.netloc
    if parts.username is not None:
        host = host.rpartition("@")[2]
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    bare = urllib.parse.urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    context = ssl.create_default_context(cafile=certificates) if parts.scheme == "https" else None
    request = urllib.request.Request(bare, headers=headers)  # noqa: S310  # the scheme is checked above
    return urllib.request.urlopen(request, timeout=SECONDS, context=context)  # noqa: S310


def download(file: IndexFile, folder: Path, *, certificates: str | None = None) -> Path:
    """Download one file into ``folder`` and check the digest the index gave. ``IndexReadError`` when they differ."""
    target = folder / Path(file.name).name
    digest = hashlib.sha256()
    try:
        with _source(file.url, certificates) as source, target.open("wb") as out:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except (OSError, ValueError) as error:
        raise IndexReadError(f"{shown(file.url)} cannot be downloaded: {error}") from None
    if file.sha256 is not None and digest.hexdigest() != file.sha256:
        target.unlink()
        raise IndexReadError(f"{file.name} has SHA-256 {digest.hexdigest()}, the index says {file.sha256}")
    return target


def _source(url: str, certificates: str | None):  # type: ignore[no-untyped-def]  # as _open
    if url.startswith("file:"):
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path)).open("rb")
    return _open(url, "*/*", certificates)


def source_distribution(indexes: Sequence[str], name: str, version: str) -> IndexFile:
    """The source distribution of one version. ``IndexReadError`` when no index has it."""
    stem = normalised(name)
    for index in indexes:
        for file in project_files(index, name, certificates=os.environ.get("SSL_CERT_FILE")):
            base = _SDIST.sub("", file.name)
            project, _, found = base.rpartition("-")
            if file.is_sdist and normalised(project) == stem and found == version:
                return file
    raise IndexReadError(f"no index has a source distribution of {name} {version}")


def main(arguments: Sequence[str]) -> int:
    """Download one source distribution and print its path."""
    name, version, folder, *indexes = arguments
    named = indexes or [
        os.environ.get("PIP_INDEX_URL", ""),
        *os.environ.get("PIP_EXTRA_INDEX_URL", "").split(),
    ]
    try:
        file = source_distribution([index for index in named if index], name, version)
        path = download(file, Path(folder), certificates=os.environ.get("SSL_CERT_FILE"))
    except IndexReadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
