"""Which package indexes this machine uses: the settings of uv and pip, read as those tools read them.

Nearest first: environment variables, ``uv.toml`` (``UV_CONFIG_FILE``, user, system), ``pip.conf``
(``PIP_CONFIG_FILE``, site, user, global), then the built-in default. The first that names an index to begin with
wins; further indexes, ``find-links`` and constraints of all of them are joined. Settings of a project are not
read: a project is not the machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from polyphony_runner.package_index.tool_files import Found, from_pip, from_uv, is_true, pip_files, uv_files

# What pip and uv use when nothing is configured; the one place where it is spelled.
DEFAULT_INDEX = "pypi.org/simple"
_SHORTEST_SECRET = 6


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
        """Passwords and tokens in the URLs: what must be masked."""
        found: list[str] = []
        for url in (*self.indexes, *self.find_links):
            parts = urlsplit(url)
            secret = parts.password or parts.username  # a token may stand as the user's name
            if secret and len(secret) >= _SHORTEST_SECRET:
                found += [secret, unquote(secret)]
        return tuple(dict.fromkeys(found))


def machine_settings(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings of this machine. NodeError PLY3701 for a configuration file that cannot be read."""
    environment = os.environ if environment is None else environment
    found = _from_environment(environment)
    for path in uv_files(environment):
        found.join(from_uv(path))
    for path in pip_files(environment):
        found.join(from_pip(path))
    indexes = [found.default or f"https://{DEFAULT_INDEX}", *(found.extra or ())]
    return IndexSettings(
        indexes=() if found.no_index else tuple(dict.fromkeys(_with_scheme(index) for index in indexes)),
        find_links=tuple(dict.fromkeys(found.links or ())),
        constraints=tuple(dict.fromkeys(Path(item).expanduser() for item in found.constraints or ())),
        certificates=_certificates(found, environment),
        proxy=environment.get("HTTPS_PROXY") or environment.get("https_proxy") or None,
        best_match=found.best_match,
    )


def _from_environment(environment: Mapping[str, str]) -> Found:
    def words(*names: str) -> list[str]:
        return [word for name in names for word in environment.get(name, "").split()]

    indexes = [_unnamed(word) for word in words("UV_INDEX")]
    return Found(
        default=next(
            (
                environment[name]
                for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
                if environment.get(name)
            ),
            None,
        ),
        no_index=any(is_true(environment.get(name, "")) for name in ("UV_NO_INDEX", "PIP_NO_INDEX")),
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


def _certificates(found: Found, environment: Mapping[str, str]) -> Path | None:
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
