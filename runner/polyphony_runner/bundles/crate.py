"""The run in the words of RO-Crate: Workflow Run Crate 0.5, on Workflow RO-Crate 1.0 and RO-Crate 1.1.

The workflow is ``graph.json``, what was executed; the run is a ``CreateAction`` with it as instrument. Inputs and
outputs are ``PropertyValue`` when they are values or not in the bundle (then their value is ``sha256:DIGEST``), ``File``
when they are; a folder is there by its manifest. Nobody says here under what licence the content may be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from polyphony_runner.bundles.facts import Facts
from polyphony_runner.bundles.layout import (
    CONTENTS,
    CRATE,
    GRAPH,
    HEAD,
    JOURNAL,
    LOCK,
    PROVENANCE,
    RECORD,
    Listed,
    artifact_name,
    encode,
)
from polyphony_runner.runs.produced import Produced
from polyphony_schemas.trust.statement import package_url
from polyphony_schemas.values import JsonValue

_CRATE_PROFILE = "https://w3id.org/ro/crate/1.1"
_WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_RUN_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _WORKFLOW_PROFILE: ("Workflow RO-Crate", "1.0"),
}
_ABOUT = {
    CONTENTS: "Table of contents: every other file with its SHA-256",
    PROVENANCE: "SLSA provenance of the run, signed",
    JOURNAL: "Every event of the run, each naming the digest of the one before",
    HEAD: "The journal's head, signed",
    RECORD: "Where the run came from: packages, folders, permissions",
    LOCK: "The locked packages",
}
_LICENCE = "Nobody has said here under what terms the content may be used"
_LONGEST_VALUE = 4096
_STATUS = {
    "succeeded": "http://schema.org/CompletedActionStatus",
    "failed": "http://schema.org/FailedActionStatus",
    "cancelled": "http://schema.org/FailedActionStatus",
}

_Entity = dict[str, JsonValue]


def crate(facts: Facts, files: Mapping[str, tuple[str, int]], artifacts: Mapping[str, Listed]) -> bytes:
    """The bytes of ``ro-crate-metadata.json``; ``files`` are the others that it describes."""
    return encode({"@context": f"{_CRATE_PROFILE}/context", "@graph": _Graph(facts, files, artifacts).all()})


class _Graph:
    """The entities by id, in the order in which they were added."""

    def __init__(
        self, facts: Facts, files: Mapping[str, tuple[str, int]], artifacts: Mapping[str, Listed]
    ) -> None:
        self._facts = facts
        self._files = files
        self._artifacts = artifacts
        self._entities: dict[str, _Entity] = {}

    def all(self) -> list[JsonValue]:
        """Everything about the run."""
        facts = self._facts
        about = f"What the run {facts.run} of the melody {facts.title} was given, did and gave"
        root: _Entity = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Run of {facts.title}",
            "description": about,
            "datePublished": facts.finished or facts.started or "1970-01-01T00:00:00Z",
            "license": _id("#license"),
            "conformsTo": [_id(profile) for profile in _RUN_PROFILES],
            "mainEntity": _id(GRAPH),
            "mentions": [_id("#run")],
        }
        self._add(
            {
                "@id": CRATE,
                "@type": "CreativeWork",
                "about": _id("./"),
                "conformsTo": [_id(_CRATE_PROFILE), _id(_WORKFLOW_PROFILE)],
            }
        )
        self._add(root)
        self._add({"@id": "#license", "@type": "CreativeWork", "name": "Not stated", "description": _LICENCE})
        for profile, (name, version) in _RUN_PROFILES.items():
            self._add({"@id": profile, "@type": "CreativeWork", "name": name, "version": version})
        given = [self._thing("inputs", one) for one in facts.inputs if not one.within]
        made = [self._thing("outputs", one) for one in facts.outputs if not one.within]
        self._workflow()
        self._action(given, made)
        for name in sorted({*self._files, CONTENTS, PROVENANCE} - {GRAPH}):
            self._file(name)
        root["hasPart"] = [
            _id(name) for name in sorted({*self._files, CONTENTS, PROVENANCE}) if name in self._entities
        ]
        return [_simple(entity) for entity in self._entities.values()]

    def _workflow(self) -> None:
        facts = self._facts
        packages: list[_Entity] = [
            {
                "@id": package_url(package.name, package.version) if package.tree else f"#package-{number}",
                "@type": "SoftwareApplication",
                "name": package.name,
                "softwareVersion": package.version,
                **({"identifier": f"tree:{package.tree}"} if package.tree else {}),
            }
            for number, package in enumerate(facts.packages)
        ]
        identity = facts.created.get("tree")
        self._file(GRAPH)
        self._entities[GRAPH] |= {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": facts.title,
            "description": "The compiled graph of the melody: what was executed",
            "version": facts.record.version,
            **({"identifier": f"tree:{identity}"} if identity else {}),
            "programmingLanguage": _id("#melody"),
            "input": [_id(f"#inputs-{one.port}") for one in facts.inputs if not one.within],
            "output": [_id(f"#outputs-{one.port}") for one in facts.outputs if not one.within],
            "hasPart": [_id(str(package["@id"])) for package in packages],
        }
        self._add(
            {"@id": "#melody", "@type": "ComputerLanguage", "name": "Polyphony melody", "version": "v1"}
        )
        for package in packages:
            self._add(package)

    def _action(self, given: list[str], made: list[str]) -> None:
        facts = self._facts
        self._add(
            {
                "@id": "#run",
                "@type": "CreateAction",
                "name": f"Run {facts.run}",
                "description": f"The run {facts.run}: {facts.status}",
                "identifier": facts.run,
                "instrument": _id(GRAPH),
                "object": [_id(one) for one in given],
                "result": [_id(one) for one in made],
                "actionStatus": _STATUS.get(facts.status, "http://schema.org/ActiveActionStatus"),
                **({"startTime": time_of(facts.started)} if facts.started else {}),
                **({"endTime": time_of(facts.finished)} if facts.finished else {}),
                **({"error": facts.error} if facts.error else {}),
            }
        )

    def _thing(self, side: Literal["inputs", "outputs"], one: Produced) -> str:
        """Add what came in or out by a port, and the port; gives the thing's id."""
        parameter = f"#{side}-{one.port}"
        listed = self._artifacts.get(one.digest)
        if not one.value and listed is not None and listed.here:
            thing = artifact_name(one.digest)
            self._file(thing)
            self._entities[thing] |= {"name": one.name, "encodingFormat": one.media_type}
            kind = "File"
        else:
            thing = f"{parameter}-value"
            kind = "PropertyValue"
            self._add({"@id": thing, "@type": "PropertyValue", "name": str(one.port), "value": _shown(one)})
        examples = self._entities[thing].setdefault("exampleOfWork", [])
        if isinstance(examples, list):
            examples.append(_id(parameter))
        self._add(
            {
                "@id": parameter,
                "@type": "FormalParameter",
                "name": str(one.port),
                "additionalType": kind,
                "workExample": _id(thing),
            }
        )
        return thing

    def _file(self, name: str) -> None:
        if name in self._entities:
            return
        found: _Entity = {"@id": name, "@type": "File", "name": name, "encodingFormat": _format(name)}
        if name in self._files:
            digest, size = self._files[name]
            found |= {"contentSize": str(size), "sha256": digest}
        if name in _ABOUT:
            found["description"] = _ABOUT[name]
        self._add(found)

    def _add(self, entity: _Entity) -> None:
        self._entities.setdefault(str(entity["@id"]), entity)


def time_of(text: str) -> str:
    """A time as the profile wants it: with an offset in place of the letter Z."""
    return text.replace("Z", "+00:00")


def _simple(entity: _Entity) -> _Entity:
    """Lists of one are written as the one, and empty ones not at all."""
    found: _Entity = {}
    for name, value in entity.items():
        if not isinstance(value, list):
            found[name] = value
        elif value:
            found[name] = value[0] if len(value) == 1 else value
    return found


def _id(identity: str) -> dict[str, JsonValue]:
    return {"@id": identity}


def _shown(one: Produced) -> str:
    """A small value as JSON, anything else by its digest."""
    if one.inline is not None and len(one.inline) <= _LONGEST_VALUE:
        return one.inline.decode("utf-8", "replace")
    return f"sha256:{one.digest}"


def _format(name: str) -> str:
    if name.endswith(".jsonl"):
        return "application/jsonl"
    return "application/json" if name.endswith(".json") or name == LOCK else "application/octet-stream"
