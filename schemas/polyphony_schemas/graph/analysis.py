"""One analysis of a melody: its graph, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.build import Builder
from polyphony_schemas.graph.checks import Checked, check_melody
from polyphony_schemas.graph.findings import Finding, Findings
from polyphony_schemas.graph.interface import NO_FILES, input_port
from polyphony_schemas.graph.model import CompiledMelody, Template
from polyphony_schemas.graph.parts import milliseconds, read_limits
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.graph.sight import Sight, read_expression, read_template, read_templates
from polyphony_schemas.graph.step import Context, read_permissions
from polyphony_schemas.melody import Melody
from polyphony_schemas.melody_config import Config
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.program import PackageInterface

INVALID = "PLY1600"


@dataclass(frozen=True, slots=True)
class Analysis:
    """The graph as far as it could be read, and the findings in the order of the document's walk."""

    compiled: CompiledMelody
    findings: tuple[Finding, ...]

    def require(self) -> CompiledMelody:
        """The graph, if it can run: no errors, every package known. Raises FormatError (PLY1600)."""
        bad = [found for found in self.findings if found.severity == "error" or found.code == "PLY1601"]
        if bad:
            first = bad[0]
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise FormatError(
                INVALID,
                f"melody {self.compiled.name!r} cannot run: {first.message} at {first.pointer or '/'}{more}",
                hint=first.hint or "polyphony validate lists every problem with its line",
                details={
                    "findings": [
                        {
                            "code": found.code,
                            "pointer": found.pointer,
                            "message": found.message,
                            "hint": found.hint,
                        }
                        for found in bad
                    ]
                },
            )
        return self.compiled


def analyse(
    melody: Melody, packages: Mapping[str, PackageInterface], schemas: Schemas = NO_FILES
) -> Analysis:
    """Read the whole graph and check it; never raises for what a document says."""
    findings = Findings()
    builder = Builder(Context(packages, schemas, findings))
    sight = Sight(names=frozenset({"inputs"}), members={"inputs": tuple(melody.inputs)})
    root = builder.scope(melody, sight, "", 0)
    outputs = read_templates(melody.outputs, root.sight, "/outputs", findings)
    ceiling = read_permissions(ceiling_of(melody.config.permissions), sight, "/config/permissions", findings)
    _read_triggers(melody, findings)
    config = melody.config
    compiled = CompiledMelody(
        name=melody.name,
        version=melody.version,
        graph=root.graph,
        inputs={name: input_port(port, schemas) for name, port in melody.inputs.items()},
        outputs=outputs,
        ceiling=ceiling,
        extensions=config.extensions,
        limits=read_limits(config.limits),
        concurrency=config.concurrency.run,
        group=_read_group(melody, findings),
        overlap=config.concurrency.overlap,
        budget_wall_ms=milliseconds(config.budget.wall),
        budget_usd=config.budget.usd,
        budget_tokens=config.budget.tokens,
        features=frozenset(builder.features | _config_features(config)),
        contacts=frozenset(entry.name for entry in config.notify if entry.name is not None),
        retention_runs_ms=milliseconds(config.retention.runs),
        retention_artifacts_ms=milliseconds(config.retention.artifacts),
        retention_keep=config.retention.keep,
    )
    check_melody(Checked(melody, root, compiled, packages, schemas), findings)
    return Analysis(compiled, tuple(findings.items))


def _config_features(config: Config) -> set[str]:
    """What the configuration asks of whoever runs the melody, beyond its graph."""
    wanted = {
        "concurrency group": config.concurrency.group is not None,
        "notify": bool(config.notify),
        "retention": bool(config.retention.model_fields_set),
    }
    return {name for name, needed in wanted.items() if needed}


def _read_triggers(melody: Melody, findings: Findings) -> None:
    """Triggers are read for their expressions; the service starts runs from them."""
    sight = Sight(names=frozenset({"trigger"}))
    for number, trigger in enumerate(melody.triggers):
        kind = next(iter(trigger.model_fields_set))
        inner = getattr(trigger, kind)
        place = f"/triggers/{number}/{kind}"
        if inner is None:
            continue
        read_templates(inner.inputs, sight, f"{place}/inputs", findings)
        for name in set(inner.inputs) - set(melody.inputs):
            findings.error(
                "PLY1614",
                f"{place}/inputs/{name}",
                f"got the input {name!r}, expected one of {', '.join(sorted(melody.inputs)) or 'none'}",
                "declare it under inputs",
            )
        if inner.when is not None:
            read_expression(inner.when, sight, f"{place}/when", findings)


def _read_group(melody: Melody, findings: Findings) -> Template | None:
    text = melody.config.concurrency.group
    if text is None:
        return None
    sight = Sight(names=frozenset({"inputs", "trigger"}), members={"inputs": tuple(melody.inputs)})
    return read_template(text, sight, "/config/concurrency/group", findings)
