"""One document as its model, or one error that lists all its problems: for those who need it whole."""

from __future__ import annotations

from polyphony_schemas.documents.reading import read_model
from polyphony_schemas.errors import FormatError
from polyphony_schemas.extension import Extension
from polyphony_schemas.extension_checks import check_extension
from polyphony_schemas.graph.schemas import Schemas
from polyphony_schemas.melody import Melody
from polyphony_schemas.problems import Problem
from polyphony_schemas.yaml12 import read_document


def load_melody(data: bytes, file: str = "melody.yaml") -> Melody:
    """The melody of a document; raises FormatError (PLY1400) with the problems in ``details``."""
    document = read_document(data, file)
    model, problems = read_model(document, Melody, "PLY14") if not document.problems else (None, [])
    if model is None:
        raise _refused("PLY1400", file, [*document.problems, *problems])
    return model


def load_extension(data: bytes, file: str = "extension.yaml", *, schemas: Schemas | None = None) -> Extension:
    """The extension of a document; raises FormatError (PLY1500) with the problems in ``details``.

    With ``schemas``, which know the files it may refer to, it is also checked beyond its shape, as validating does:
    a schema that cannot be used would otherwise count as one that takes anything.
    """
    document = read_document(data, file)
    model, problems = read_model(document, Extension, "PLY15") if not document.problems else (None, [])
    if model is None:
        raise _refused("PLY1500", file, [*document.problems, *problems])
    found = check_extension(model, schemas) if schemas is not None else []
    if wrong := [finding.at(document) for finding in found if finding.severity == "error"]:
        raise _refused("PLY1500", file, wrong)
    return model


def _refused(code: str, file: str, problems: list[Problem]) -> FormatError:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return FormatError(
        code,
        f"{file}:{first.line}:{first.column}: {first.message}{more}",
        hint=first.hint or f"polyphony validate {file} lists every problem",
        details={"problems": [problem.to_json() for problem in problems]},
    )
