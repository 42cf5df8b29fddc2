"""A small reader of the simple repository API: PEP 691 (JSON), else PEP 503 (HTML); folders of files too.

Where the indexes are stands in pip's own variables, which the sandbox sets.
"""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE, MAX_FILE = 32 << 20, 64 << 20
SECONDS = 60


class IndexReadError(Exception):
    """The index cannot be read; ``retryable`` says whether trying again may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Answer(NamedTuple):
    """What an address gave, its media type, and the address after redirects."""

    body: bytes
    media_type: str
    address: str


class Anchors(HTMLParser):
    """Collects the address of every link."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an anchor."""
        address = dict(attrs).get("href") if tag == "a" else None
        if address:
            self.addresses.append(address)


def find_sdist(name: str, version: str) -> tuple[str, str]:
    """``(file name, address)`` of the source distribution of a version. IndexReadError when nobody has it."""
    spelling = re.escape(normal(name)).replace(r"\-", "[-_.]+")
    wanted = re.compile(rf"{spelling}-{re.escape(version)}\.tar\.gz", re.IGNORECASE)
    problems = []
    for place in places():
        try:
            for file, address in place_files(place, name):
                if wanted.fullmatch(file):
                    return file, address
        except IndexReadError as problem:
            problems.append(problem)
    if problems:
        raise problems[0]
    raise IndexReadError(f"no index of this machine has a source distribution of {name} {version}")


def normal(name: str) -> str:
    """A project name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Place(NamedTuple):
    """An index, or a folder of files."""

    address: str
    is_folder: bool


def places() -> Iterator[Place]:
    """Where this machine gets packages from, as the sandbox hands it in."""
    words = [os.environ.get("PIP_INDEX_URL", ""), *os.environ.get("PIP_EXTRA_INDEX_URL", "").split()]
    yield from (Place(word, False) for word in words if word)
    yield from (Place(word, True) for word in os.environ.get("PIP_FIND_LINKS", "").split())


def place_files(place: Place, name: str) -> Iterator[tuple[str, str]]:
    """File names and addresses of a project; none when the place does not know it."""
    local = local_path(place.address)
    if place.is_folder and local is not None:
        folder = local if local.is_dir() else local.parent
        yield from ((file.name, file.as_uri()) for file in sorted(folder.glob("*")) if file.is_file())
        return
    page = f"{place.address.rstrip('/')}/{normal(name)}/"
    if local is not None:
        page = (local / normal(name) / "index.html").as_uri()
    try:
        answer = get(place.address if place.is_folder else page, MAX_PAGE, ACCEPT)
    except FileNotFoundError:
        return
    yield from page_files(answer)


def local_path(address: str) -> Path | None:
    """The path of ``file://`` and of a bare path."""
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path))
    return None


def page_files(answer: Answer) -> Iterator[tuple[str, str]]:
    """File names and addresses on a page of either form."""
    try:
        if answer.media_type.endswith("json"):
            for entry in json.loads(answer.body)["files"]:
                yield str(entry["filename"]), urljoin(answer.address, str(entry["url"]))
            return
    except (ValueError, KeyError, TypeError) as error:
        raise IndexReadError(f"{host(answer.address)} sent a page that cannot be read: {error}") from None
    parser = Anchors()
    parser.feed(answer.body.decode("utf-8", "replace"))
    for link in parser.addresses:
        address = urldefrag(urljoin(answer.address, link)).url
        yield unquote(urlsplit(address).path.rsplit("/", 1)[-1]), address


def get(address: str, limit: int, accept: str = "*/*") -> Answer:
    """At most ``limit`` bytes. FileNotFoundError for what is not there, IndexReadError for anything else."""
    headers = {"Accept": accept, "User-Agent": "polyphony-python-sdist"}
    parts = urlsplit(address)
    user, _, server = parts.netloc.rpartition("@")
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
        address = urlunsplit(parts._replace(netloc=server))
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=SECONDS) as got:
            body, media_type, place = got.read(limit + 1), got.headers.get_content_type(), got.geturl()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise FileNotFoundError(address) from None
        retryable = error.code >= 500 or error.code == 429
        raise IndexReadError(f"{host(address)} answered {error.code}", retryable=retryable) from None
    except OSError as error:
        if parts.scheme == "file":
            raise FileNotFoundError(address) from None
        raise IndexReadError(f"{host(address)} cannot be reached: {error}", retryable=True) from None
    if len(body) > limit:
        raise IndexReadError(f"{host(address)} sent more than {limit} bytes")
    there = urlsplit(place)
    if user and there.netloc == server:  # what the page links to on the same host needs them too
        place = urlunsplit(there._replace(netloc=parts.netloc))
    return Answer(body, media_type, place)


def host(address: str) -> str:
    """The host of an address, without credentials."""
    return urlsplit(address).hostname or address
