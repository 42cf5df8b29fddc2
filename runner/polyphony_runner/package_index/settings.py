"""Which package indexes this machine uses: the settings of uv and pip, read as those tools read them.

Nearest first: environment variables, ``uv.toml`` (``UV_CONFIG_FILE``, user, system), ``pip.conf``
(``PIP_CONFIG_FILE``, site, user, global), then the built-in default. The first that names an index to begin with
wins; further indexes, ``find-links`` and constraints of all of them are joined. Settings of a project are not
read: a project is not the machine.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from polyphony_runner.runtimes.failures import NodeError

# What pip and uv use when nothing is configured; the one place where it is spelled.
DEFAULT_INDEX = "pypi.org/simple"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Indexes (the default one first; URLs, credentials included), find-links, constraints, certificate bundle.

    ``best_match``: further indexes come from pip, which takes the best version of all of them, not of the first.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    constraints: tuple[Path, ...] = ()
    certificates: Path | None = None
    proxy: str | None = None
    best_match: bool = False

    @property
    def credentials(self) -> tuple[str, ...]:
        """Passwords and user names in the URLs: what must be masked."""
        found: list[str] = []
        for url in (*self.indexes, *self.find_links):
            parts = urlsplit(url)
            found += [text for text in (parts.password, parts.username) if text and text != "__token__"]
        return tuple(dict.fromkeys(found))


@dataclass(slots=True)
class _Found:
    default: str | None = None
    no_index: bool = False
    extra: list[str] | None = None
    links: list[str] | None = None
    constraints: list[str] | None = None
    certificates: str | None = None
    best_match: bool = False

    def join(self, other: _Found) -> None:
        """Add what a source further away says."""
        self.default = self.default or other.default
        self.no_index = self.no_index or other.no_index
        self.extra = [*(self.extra or ()), *(other.extra or ())]
        self.links = [*(self.links or ()), *(other.links or ())]
        self.constraints = [*(self.constraints or ()), *(other.constraints or ())]
        self.certificates = self.certificates or other.certificates
        self.best_match = self.best_match or other.best_match


def machine_settings(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings of this machine. NodeError PLY3701 for a configuration file that cannot be read."""
    environment = os.environ if environment is None else environment
    found = _from_environment(environment)
    for path in _uv_files(environment):
        found.join(_from_uv(path))
    for path in _pip_files(environment):
        found.join(_from_pip(path))
    indexes = [found.default or f"https://{DEFAULT_INDEX}", *(found.extra or ())]
    return IndexSettings(
        indexes=() if found.no_index else tuple(dict.fromkeys(_with_scheme(index) for index in indexes)),
        find_links=tuple(dict.fromkeys(found.links or ())),
        constraints=tuple(dict.fromkeys(Path(item).expanduser() for item in found.constraints or ())),
        certificates=_certificates(found, environment),
        proxy=environment.get("HTTPS_PROXY") or environment.get("https_proxy") or None,
        best_match=found.best_match,
    )


def _from_environment(environment: Mapping[str, str]) -> _Found:
    def words(*names: str) -> list[str]:
        return [word for name in names for word in environment.get(name, "").split()]

    indexes = [_unnamed(word) for word in words("UV_INDEX")]
    return _Found(
        default=next(
            (
                environment[name]
                for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
                if environment.get(name)
            ),
            None,
        ),
        no_index=any(_true(environment.get(name, "")) for name in ("UV_NO_INDEX", "PIP_NO_INDEX")),
        extra=indexes + words("UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
        links=[
            *(link for link in environment.get("UV_FIND_LINKS", "").split(",") if link),
            *words("PIP_FIND_LINKS"),
        ],
        constraints=words("PIP_CONSTRAINT", "UV_CONSTRAINT"),
        best_match=bool(environment.get("PIP_EXTRA_INDEX_URL")),
        certificates=next(
            (
                environment[name]
                for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
                if environment.get(name)
            ),
            None,
        ),
    )


def _uv_files(environment: Mapping[str, str]) -> Iterator[Path]:
    if _true(environment.get("UV_NO_CONFIG", "")):
        return
    if named := environment.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    yield _config_home(environment) / "uv/uv.toml"
    for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "uv/uv.toml"
    yield Path("/etc/uv/uv.toml")


def _from_uv(path: Path) -> _Found:
    text = _read(path)
    if text is None:
        return _Found()
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, str(error)) from error
    found = _Found()
    tables = [document]
    if isinstance(document.get("pip"), dict):
        tables.append(document["pip"])
    for table in tables:
        found.join(
            _Found(
                default=_string(table.get("index-url")),
                no_index=table.get("no-index") is True,
                extra=_strings(table.get("extra-index-url")),
                links=_strings(table.get("find-links")),
            )
        )
    entries = document.get("index")
    for entry in entries if isinstance(entries, list) else []:
        url = _string(entry.get("url")) if isinstance(entry, dict) else None
        if url is None or entry.get("explicit") is True:
            continue
        found.join(_Found(default=url) if entry.get("default") is True else _Found(extra=[url]))
    return found


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if named:
        yield Path(named)
    yield Path(sys.prefix) / "pip.conf"
    yield _config_home(environment) / "pip/pip.conf"
    yield Path(environment.get("HOME", "~")).expanduser() / ".pip/pip.conf"
    yield Path("/etc/pip.conf")
    for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "pip/pip.conf"


def _from_pip(path: Path) -> _Found:
    text = _read(path)
    if text is None:
        return _Found()
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _unreadable(path, str(error)) from error
    found = _Found()
    for section in ("install", "download", "wheel", "global"):
        if not parser.has_section(section):
            continue
        values = dict(parser.items(section))
        found.join(
            _Found(
                default=values.get("index-url"),
                no_index=_true(values.get("no-index", "")),
                extra=values.get("extra-index-url", "").split(),
                links=values.get("find-links", "").split(),
                constraints=shlex.split(values.get("constraint", "")),
                certificates=values.get("cert"),
                best_match="extra-index-url" in values,
            )
        )
    return found


def _certificates(found: _Found, environment: Mapping[str, str]) -> Path | None:
    import ssl

    places = ssl.get_default_verify_paths()
    for candidate in (found.certificates, environment.get("SSL_CERT_FILE"), places.cafile, *_BUNDLES):
        if candidate and Path(candidate).is_file():
            return Path(candidate).resolve()
    return None


_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _config_home(environment: Mapping[str, str]) -> Path:
    return Path(
        environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".config"
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, reason: str) -> NodeError:
    return NodeError(
        "configuration",
        "PLY3701",
        f"the package settings of this machine, {str(path)!r}, cannot be read: {reason}",
        hint="mend that file; the tools that read it would refuse it too",
    )


def _with_scheme(url: str) -> str:
    """The URL without a slash at its end; a bare path becomes a ``file://`` URL."""
    if "://" not in url and not url.startswith("file:"):
        url = Path(url).expanduser().absolute().as_uri()
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _unnamed(word: str) -> str:
    """``UV_INDEX`` words may be ``name=url``."""
    name, separator, url = word.partition("=")
    return url if separator and "://" not in name else word


def _true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on", "t", "y"}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
