"""A small reader of the simple repository API: PEP 691 (JSON), else PEP 503 (HTML)."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlparse

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE, MAX_FILE = 32 << 20, 64 << 20


class IndexReadError(Exception):
    """The index cannot be read; ``retryable`` says whether trying again may help."""

    def __init__(self, message, *, retryable=False):
        super().__init__(message)
        self.retryable = retryable


class Anchors(HTMLParser):
    """Collects ``(href, text)`` of every link."""

    def __init__(self):
        super().__init__()
        self.links, self._href = [], None

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self._href = dict(attrs).get("href")

    def handle_data(self, data):
        if self._href:
            self.links.append((self._href, data.strip()))
            self._href = None


def normal(name):
    """A project name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def get(url, limit, accept="*/*"):
    """The body of an address and where it came from; at most ``limit`` bytes."""
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "polyphony-python-sdist"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read(limit + 1)
            kind, place = answer.headers.get_content_type(), answer.geturl()
    except urllib.error.HTTPError as error:
        raise IndexReadError(
            f"{urlparse(url).netloc} answered {error.code}", retryable=error.code >= 500 or error.code == 429
        ) from None
    except (urllib.error.URLError, OSError) as error:
        raise IndexReadError(f"{urlparse(url).netloc} cannot be reached: {error}", retryable=True) from None
    if len(body) > limit:
        raise IndexReadError(f"{urlparse(url).netloc} sent more than {limit} bytes")
    return body, kind, place


def indexes():
    """Addresses of the machine's indexes, as the sandbox hands them in."""
    first = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX") or ""
    return [
        word
        for word in [first, *os.environ.get("PIP_EXTRA_INDEX_URL", "").split()]
        if word.startswith(("http://", "https://"))
    ]


def files(index, name):
    """``{file name: address}`` of a project on one index."""
    body, kind, place = get(f"{index.rstrip('/')}/{normal(name)}/", MAX_PAGE, ACCEPT)
    if kind.endswith("json"):
        return {entry["filename"]: urljoin(place, entry["url"]) for entry in json.loads(body)["files"]}
    parser = Anchors()
    parser.feed(body.decode("utf-8", "replace"))
    addresses = [urldefrag(urljoin(place, href)).url for href, _ in parser.links]
    return {unquote(urlparse(address).path.rsplit("/", 1)[-1]): address for address in addresses}


def find_sdist(name, version):
    """``(file name, address)`` of the source distribution of a version."""
    wanted = re.compile(
        rf"{re.escape(normal(name)).replace('-', '[-_.]+')}-{re.escape(version)}\.tar\.gz", re.IGNORECASE
    )
    problems = []
    for index in indexes():
        try:
            found = [
                (file, address) for file, address in files(index, name).items() if wanted.fullmatch(file)
            ]
        except IndexReadError as problem:
            problems.append(problem)
            continue
        if found:
            return found[0]
    if problems:
        raise problems[-1]
    raise IndexReadError(f"no index of this machine has a source distribution of {name} {version}")
