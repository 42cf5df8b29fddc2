"""The configuration files of uv and pip: where they are, and what they say about indexes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.runtimes.failures import NodeError


@dataclass(slots=True)
class Found:
    """What one source of settings says; nothing where it is silent."""

    default: str | None = None
    no_index: bool = False
    extra: list[str] | None = None
    links: list[str] | None = None
    constraints: list[str] | None = None
    certificates: str | None = None
    best_match: bool = False

    def join(self, other: Found) -> None:
        """Add what a source further away says."""
        self.default = self.default or other.default
        self.no_index = self.no_index or other.no_index
        self.extra = [*(self.extra or ()), *(other.extra or ())]
        self.links = [*(self.links or ()), *(other.links or ())]
        self.constraints = [*(self.constraints or ()), *(other.constraints or ())]
        self.certificates = self.certificates or other.certificates
        self.best_match = self.best_match or other.best_match


def uv_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files uv reads, nearest first; they need not exist."""
    if is_true(environment.get("UV_NO_CONFIG", "")):
        return
    if named := environment.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    yield _config_home(environment) / "uv/uv.toml"
    for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "uv/uv.toml"
    yield Path("/etc/uv/uv.toml")


def from_uv(path: Path) -> Found:
    """What a ``uv.toml`` says. NodeError PLY3701 when it cannot be read."""
    text = _read(path)
    if text is None:
        return Found()
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, str(error)) from error
    found = Found()
    tables = [document]
    if isinstance(document.get("pip"), dict):
        tables.append(document["pip"])
    for table in tables:
        found.join(
            Found(
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
        found.join(Found(default=url) if entry.get("default") is True else Found(extra=[url]))
    return found


def pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files pip reads, nearest first; they need not exist."""
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


def from_pip(path: Path) -> Found:
    """What a ``pip.conf`` says. NodeError PLY3701 when it cannot be read."""
    text = _read(path)
    if text is None:
        return Found()
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _unreadable(path, str(error)) from error
    found = Found()
    for section in ("install", "download", "wheel", "global"):
        if not parser.has_section(section):
            continue
        values = dict(parser.items(section))
        found.join(
            Found(
                default=values.get("index-url"),
                no_index=is_true(values.get("no-index", "")),
                extra=values.get("extra-index-url", "").split(),
                links=values.get("find-links", "").split(),
                constraints=shlex.split(values.get("constraint", "")),
                certificates=values.get("cert"),
                best_match="extra-index-url" in values,
            )
        )
    return found


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


def is_true(text: str) -> bool:
    """A switch as environment variables and ini files write it."""
    return text.strip().lower() in {"1", "true", "yes", "on", "t", "y"}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
