"""Policies as values: every rule knows its file and line, and what one file forbids no other can allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from polyphony_runner.errors import ClientError
from polyphony_runner.sandbox.spec import Endpoint

PACKAGE_INDEX = "package-index"
# From the tightest to none at all.
LEVELS = ("full", "full-privileged", "landlock", "wasm", "none")


@dataclass(frozen=True, slots=True)
class Rule:
    """The value of one key; ``place`` is ``FILE:LINE``."""

    values: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What one file says; a key that it does not have forbids nothing."""

    extensions: Rule | None = None
    registries: Rule | None = None
    signers: Rule | None = None
    minimum_level: Rule | None = None
    allowed_hosts: Rule | None = None
    denied_hosts: Rule | None = None
    unsandboxed: Rule | None = None
    trusted_usage: Rule | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """All files together, the administrator's first. Without any nothing is forbidden."""

    files: tuple[PolicyFile, ...] = ()

    def check_package(self, name: str) -> None:
        """PLY3731 for an ``OWNER/NAME`` that some file does not list; folders on disk are ``local/NAME``."""
        for rule in self._rules("extensions"):
            if not _matches(name, rule.values):
                raise refused("PLY3731", f"{name} may not run here", rule, f"add {name} under extensions")

    def check_registry(self, origin: str) -> None:
        """PLY3735 for a registry that some file does not list."""
        for rule in self._rules("registries"):
            if origin not in rule.values:
                raise refused(
                    "PLY3735",
                    f"nothing may be taken from the registry {origin!r}",
                    rule,
                    f"add {origin} under registries",
                )

    @property
    def signers(self) -> frozenset[str] | None:
        """The signers that every file lists; None when none lists any."""
        found: frozenset[str] | None = None
        for rule in self._rules("signers"):
            found = frozenset(rule.values) if found is None else found & frozenset(rule.values)
        return found

    def check_level(self, level: str) -> None:
        """PLY3733 for a level below some file's."""
        for rule in self._rules("minimum_level"):
            (wanted,) = rule.values
            if level not in LEVELS or LEVELS.index(level) > LEVELS.index(wanted):
                raise refused(
                    "PLY3733",
                    f"the sandbox has level {level!r}, expected at least {wanted!r}",
                    rule,
                    "polyphony doctor says what is missing",
                )

    def check_unsandboxed(self) -> None:
        """PLY3734 where running without isolation is forbidden."""
        for rule in self._rules("unsandboxed"):
            raise refused("PLY3734", "--unsafe-no-sandbox is forbidden here", rule, "leave the flag out")

    def check_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        """PLY3732 for the first endpoint that some file denies, or does not allow."""
        for endpoint in endpoints:
            words = _words(endpoint)
            for rule in self._rules("denied_hosts"):
                if any(_matches(word, rule.values) for word in words):
                    raise _host(endpoint, rule, "another host, or ask who keeps the policy")
            for rule in self._rules("allowed_hosts"):
                if not any(_matches(word, rule.values) for word in words):
                    raise _host(endpoint, rule, f"add {endpoint.host}:{endpoint.port} under network.allow")

    def trusted_usage(self, configured: tuple[str, ...]) -> tuple[str, ...]:
        """Whose reports are believed: the administrator's list, else the user's, else what is configured."""
        for rule in self._rules("trusted_usage"):
            return rule.values
        return configured

    def _rules(self, key: str) -> Iterator[Rule]:
        for file in self.files:
            rule = getattr(file, key)
            if rule is not None:
                yield rule


def _words(endpoint: Endpoint) -> tuple[str, ...]:
    """By what rules may name an endpoint."""
    host = endpoint.host.lower()
    written = (host, f"{host}:{endpoint.port}")
    return (*written, PACKAGE_INDEX) if endpoint.index else written


def _matches(word: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns)


def _host(endpoint: Endpoint, rule: Rule, hint: str) -> ClientError:
    return refused("PLY3732", f"nothing may talk to {endpoint.host}:{endpoint.port} here", rule, hint)


def refused(code: str, what: str, rule: Rule, hint: str) -> ClientError:
    """The refusal of a rule, with its place."""
    return ClientError(code, f"{what}: {rule.place}", hint=hint, details={"policy": rule.place})
