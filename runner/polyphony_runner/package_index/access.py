"""``package-index`` as endpoints, mounts and variables of one sandbox.

The hosts are those of the configured indexes and those that their pages for the asked names link to; the pages are
read here, outside. ``file://`` indexes, the folders their pages link to, ``find-links`` and constraint files are
mounted read-only at their own paths, so that the same addresses hold inside. A page from the network shows no folder
of this machine, whatever it links to.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from polyphony_runner.package_index.hosts import endpoints
from polyphony_runner.package_index.settings import IndexSettings, machine_settings
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.spec import Endpoint, Mount

if TYPE_CHECKING:  # the reader imports half of urllib, which only a node with package-index needs
    from polyphony_runner.package_index.simple_index import IndexFile

# Asked for when a node resolves by itself and says no name: every index that mirrors the default one has it.
PROBE = "pip"
_READERS = 8
_SAMPLE = 32


@dataclass(frozen=True, slots=True)
class IndexAccess:
    """What a node that was granted ``package-index`` gets.

    ``env`` are the tools' own variables, ``masked`` credentials that must never be shown, ``proxy`` the machine's
    own upstream proxy (used outside, by ours).
    """

    endpoints: tuple[Endpoint, ...] = ()
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    proxy: str | None = None


class PackageIndex:
    """The machine's package index. Pages are read once per index and name while the object lives."""

    def __init__(self, settings: IndexSettings | None = None) -> None:
        self._settings = settings
        self._pages: dict[tuple[str, str], asyncio.Task[list[IndexFile]]] = {}
        self._slots = asyncio.Semaphore(_READERS)

    @property
    def settings(self) -> IndexSettings:
        """Read from the machine at first use."""
        if self._settings is None:
            self._settings = machine_settings()
        return self._settings

    async def access(self, names: Iterable[str]) -> IndexAccess:
        """Access for installing or downloading ``names``; without names, for whatever the probe's page links to.

        NodeError of kind ``network`` (PLY3702) when a configured index cannot be read.
        """
        from polyphony_runner.package_index.simple_index import normalised

        settings = self.settings
        asked = tuple(dict.fromkeys(normalised(name) for name in names)) or (PROBE,)
        wanted = [
            (index, name) for index in settings.indexes for name in (*asked, *_some_projects(_local(index)))
        ]
        pages = await asyncio.gather(*(self._page(index, name) for index, name in wanted))
        named = [*settings.indexes, *(link for link in settings.find_links if "://" in link)]
        linked = [(index, file.url) for (index, _), page in zip(wanted, pages, strict=True) for file in page]
        points = await endpoints(named, linked)
        links = [*named[len(settings.indexes) :], *(url for _, url in linked)]
        folders = [_local(url) for url in settings.indexes]
        folders += [path.parent for path in map(_local, links) if path is not None]
        folders += [
            _local(link) or Path(link).expanduser() for link in settings.find_links if _is_local(link)
        ]
        return IndexAccess(
            endpoints=points,
            mounts=_mounts([path for path in folders if path is not None], settings),
            env=_variables(settings),
            masked=settings.credentials,
            proxy=settings.proxy,
        )

    async def _page(self, index: str, name: str) -> list[IndexFile]:
        key = index, name
        task = self._pages.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._pages[key] = asyncio.ensure_future(self._read(index, name))
        return await asyncio.shield(task)

    async def _read(self, index: str, name: str) -> list[IndexFile]:
        from polyphony_runner.package_index.simple_index import IndexReadError, project_files, shown

        certificates = None if self.settings.certificates is None else str(self.settings.certificates)
        async with self._slots:
            try:
                files = await asyncio.to_thread(project_files, index, name, certificates=certificates)
                return files if _local(index) else [file for file in files if not _is_local(file.url)]
            except (IndexReadError, OSError) as error:
                raise NodeError(
                    "network",
                    "PLY3702",
                    f"the package index {shown(index)} could not be asked for {name!r}: {error}",
                    hint="check the network and this machine's pip and uv settings",
                ) from error


def _some_projects(index: Path | None) -> list[str]:
    """Projects of an index that is a folder: their pages tell where its files lie, whatever is asked for."""
    if index is None or not index.is_dir():
        return []
    with os.scandir(index) as found:
        return [entry.name for entry in itertools.islice(found, _SAMPLE) if entry.is_dir()]


def _is_local(link: str) -> bool:
    return "://" not in link or link.startswith("file:")


def _local(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _mounts(folders: Sequence[Path], settings: IndexSettings) -> tuple[Mount, ...]:
    """Each existing folder once, none inside another, plus constraint files and the certificate bundle."""
    existing = sorted(
        {folder.resolve() for folder in folders if folder.is_dir()}, key=lambda path: path.parts
    )
    outermost: list[Path] = []
    for folder in existing:
        if folder != Path("/") and not any(folder.is_relative_to(other) for other in outermost):
            outermost.append(folder)
    files = [path for path in settings.constraints if path.is_file()]
    mounts = [Mount(path, str(path.absolute()), shared=True) for path in [*outermost, *files]]
    if settings.certificates is not None:
        mounts.append(Mount(settings.certificates, CERTIFICATES, shared=True))
    return tuple(mounts)


CERTIFICATES = "/polyphony-index/certificates.pem"


def _variables(settings: IndexSettings) -> dict[str, str]:
    indexes = settings.indexes
    variables = {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_NO_CONFIG": "1"}
    if indexes:
        variables["PIP_INDEX_URL"] = variables["UV_DEFAULT_INDEX"] = indexes[0]
    else:
        variables["PIP_NO_INDEX"] = variables["UV_NO_INDEX"] = "1"
    if indexes[1:]:
        variables["PIP_EXTRA_INDEX_URL"] = variables["UV_INDEX"] = " ".join(indexes[1:])
        if settings.best_match:
            variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    links = [_plain(link) for link in settings.find_links]
    if links:
        variables["PIP_FIND_LINKS"] = " ".join(links)
        variables["UV_FIND_LINKS"] = ",".join(links)
    if settings.constraints:
        variables["PIP_CONSTRAINT"] = " ".join(str(path.absolute()) for path in settings.constraints)
    if settings.certificates is not None:
        for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            variables[name] = CERTIFICATES
    return variables


def _plain(link: str) -> str:
    return link if "://" in link else str(Path(link).expanduser().resolve())
