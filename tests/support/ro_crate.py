"""The RO-Crate validator without a network: it asks for one document, the context of RO-Crate 1.1, which is given here.

The context holds the terms that our crates use, with the identifiers they have in RO-Crate 1.1; a crate that uses
another term is noticed by ``unknown_terms``.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any, ClassVar

import pytest

_SCHEMA = (
    "about actionStatus additionalType contentSize CreateAction ComputerLanguage CreativeWork Dataset datePublished "
    "description encodingFormat endTime error exampleOfWork hasPart identifier instrument license mainEntity mentions "
    "name object programmingLanguage PropertyValue result sha256 SoftwareApplication SoftwareSourceCode "
    "softwareVersion startTime value version workExample"
)
_BIOSCHEMAS = "https://bioschemas.org/"
CONTEXT: dict[str, str] = {
    **{term: f"http://schema.org/{term}" for term in _SCHEMA.split()},
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": f"{_BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{_BIOSCHEMAS}FormalParameter",
    "input": f"{_BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{_BIOSCHEMAS}ComputationalWorkflow#output",
}


def unknown_terms(metadata: bytes) -> set[str]:
    """Words of a crate that its context does not define."""
    found: set[str] = set()
    for entity in json.loads(metadata)["@graph"]:
        types = entity["@type"]
        found |= set(entity) | set(types if isinstance(types, list) else [types])
    return found - CONTEXT.keys() - {"@id", "@type"}


class _Answer:
    """What the server of the context would answer."""

    status_code = 200
    headers: ClassVar[dict[str, str]] = {"Content-Type": "application/ld+json"}
    text = json.dumps({"@context": CONTEXT})

    def json(self) -> Any:
        return json.loads(self.text)


def crate_issues(crate: Path, monkeypatch: pytest.MonkeyPatch, *, severity: str = "RECOMMENDED") -> list[str]:
    """What the validator has to say about a crate, as a Workflow Run Crate; its log stays quiet."""
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    def get(self: object, url: str, **options: object) -> _Answer:
        assert url == "https://w3id.org/ro/crate/1.1/context", f"the validator asks for {url}"
        return _Answer()

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    logging.getLogger("rdflib").setLevel(logging.CRITICAL)
    settings = services.ValidationSettings(
        rocrate_uri=models.URI(str(crate)),
        profile_identifier="workflow-run-crate-0.5",
        requirement_severity=getattr(models.Severity, severity),
        offline=True,
        cache_path=crate.with_suffix(".cache"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the validator's own libraries
        result = services.validate(settings)
    return [
        f"{issue.severity.name} {issue.check.identifier}: {issue.message}" for issue in result.get_issues()
    ]
