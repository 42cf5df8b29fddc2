"""Validation of a package: pure, from the bytes of its files; the same for CLI, publish and registry.

Everything is reported at once: what the reader, the shape, the schemas, the graph and the permissions have to say,
about the named file, the folders of the same package that it uses, and the test cases beside it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polyphony_schemas.documents.reading import read_model
from polyphony_schemas.extension import Extension
from polyphony_schemas.extension_checks import check_extension
from polyphony_schemas.graph.analysis import analyse
from polyphony_schemas.graph.findings import Finding
from polyphony_schemas.graph.interface import extension_interface, melody_interface
from polyphony_schemas.graph.schemas import JsonFiles, Schemas
from polyphony_schemas.melody import Melody, ScopeBase, Step
from polyphony_schemas.melody_cases import TestCase
from polyphony_schemas.melody_partial import PartialMelody
from polyphony_schemas.names import MANIFESTS
from polyphony_schemas.problems import Problem
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.yaml12 import Document, read_document

NO_DOCUMENT = "PLY1410"
NOT_PUBLISHABLE = "PLY1411"
BAD_CASE = "PLY1412"


def validate_tree(
    files: Mapping[str, bytes],
    root_file: str,
    packages: Mapping[str, PackageInterface],
    *,
    publish: bool = False,
) -> list[Problem]:
    """All problems of the package, sorted by file, line and column.

    ``files`` maps paths with ``/`` from the package root to bytes; ``root_file`` is the melody or extension among
    them; ``packages`` is keyed by the ``uses`` texts (``./`` folders are found in ``files``). ``publish`` adds what
    a version in a registry must have.
    """
    validation = _Validation(files, packages)
    validation.document(root_file, publish=publish)
    return sorted(
        dict.fromkeys(validation.problems),
        key=lambda p: (p.file != root_file, p.file, p.line, p.column, p.pointer, p.code, p.message),
    )


@dataclass(frozen=True, slots=True)
class CaseSubject:
    """What a test case may name of its package. ``closed``: no other inputs are taken."""

    name: str
    nodes: set[str]
    closed: bool
    inputs: set[str]
    outputs: set[str]


class _Validation:
    """The documents of one package, each looked at once."""

    def __init__(self, files: Mapping[str, bytes], packages: Mapping[str, PackageInterface]) -> None:
        self.files = files
        self.packages = packages
        self.json_files = JsonFiles(files)
        self.problems: list[Problem] = []
        self.interfaces: dict[str, PackageInterface | None] = {}

    def document(self, file: str, *, publish: bool = False) -> PackageInterface | None:
        """Validate one melody or extension; gives its outside, None when it cannot be read."""
        if file in self.interfaces:
            return self.interfaces[file]
        self.interfaces[file] = None
        if file not in self.files:
            self.problems.append(_no_document(file, f"no file {file!r} in the package", "check the name"))
            return None
        document = read_document(self.files[file], file)
        self.problems += document.problems
        if isinstance(document.value, dict):
            self.interfaces[file] = self._model(document, publish=publish)
        elif not document.problems:
            self.problems.append(
                document.problem(
                    NO_DOCUMENT,
                    "",
                    "got no map, expected a melody or an extension",
                    hint="begin with melody: v1",
                )
            )
        return self.interfaces[file]

    def _model(self, document: Document, *, publish: bool) -> PackageInterface | None:
        value = document.value
        assert isinstance(value, dict)  # noqa: S101 - the caller looked
        if "extension" in value or ("melody" not in value and _name(document.file).startswith("extension.")):
            return self._extension(document, publish=publish)
        if "melody" in value or _name(document.file).startswith("melody."):
            return self._melody(document, publish=publish)
        self.problems.append(
            document.problem(
                NO_DOCUMENT,
                "",
                "got neither melody: v1 nor extension: v1",
                hint="say at the top which of the two this is",
            )
        )
        return None

    def _extension(self, document: Document, *, publish: bool) -> PackageInterface | None:
        extension, problems = read_model(document, Extension, "PLY15")
        self.problems += problems
        if extension is None:
            return None
        schemas = Schemas(document.file, self.json_files)
        self._say(document, check_extension(extension, schemas))
        self._check_files(document, extension)
        if publish:
            self._check_publishable(document, extension)
        interface = extension_interface(extension, schemas)
        ports = (interface.any_inputs is None, {*interface.inputs, *extension.parameter_schemas()})
        self._cases(document.file, CaseSubject(extension.name, {"node"}, *ports, set(interface.outputs)))
        return interface

    def _melody(self, document: Document, *, publish: bool) -> PackageInterface | None:
        melody, problems = read_model(document, Melody, "PLY14")
        self.problems += problems
        schemas = Schemas(document.file, self.json_files)
        if melody is None:
            self._rest(document, problems, schemas)
            return None
        interface = self.interfaces[document.file] = melody_interface(melody, schemas)
        analysis = analyse(melody, {**self.packages, **self._local(document, melody)}, schemas)
        self._say(document, analysis.findings)
        if publish:
            self._check_publishable(document, melody)
        paths = set(_node_paths(melody, ""))
        subject = CaseSubject(melody.name, paths, True, set(melody.inputs), set(melody.outputs))
        self._cases(document.file, subject)
        return interface

    def _rest(self, document: Document, problems: list[Problem], schemas: Schemas) -> None:
        """What is wrong with a melody beyond the parts that cannot even be read."""
        partial = PartialMelody.of(document.value, problems)
        rest = partial.melody()
        if rest is not None:
            analysis = analyse(rest, {**self.packages, **self._local(document, rest)}, schemas)
            self._say(document, partial.findings(analysis.findings))

    def _local(self, document: Document, melody: Melody) -> dict[str, PackageInterface]:
        """The packages of the same tree that a melody uses, by the words it uses."""
        found: dict[str, PackageInterface] = {}
        for uses, pointer in _local_uses(melody, ""):
            if uses in self.packages:
                continue
            folder = posixpath.normpath(posixpath.join(posixpath.dirname(document.file), uses))
            names = [posixpath.normpath(posixpath.join(folder, name)) for name in MANIFESTS]
            manifest = next((name for name in names if name in self.files), None)
            if folder.startswith("..") or manifest is None:
                self.problems.append(
                    document.problem(
                        NO_DOCUMENT,
                        pointer,
                        f"got {uses!r}, expected a folder of this package with extension.yaml or melody.yaml",
                        hint=f"add {folder}/extension.yaml, or mend the path",
                    )
                )
            elif (interface := self.document(manifest)) is not None:
                found[uses] = interface
        return found

    def _check_files(self, document: Document, extension: Extension) -> None:
        """Files that ``run`` names are there."""
        folder = posixpath.dirname(document.file)
        for key in ("requirements", "wasm"):
            name = getattr(extension.run, key, None)
            if name is not None and posixpath.join(folder, name) not in self.files:
                self.problems.append(
                    document.problem(
                        "PLY1513",
                        f"/run/{key}",
                        f"got {name!r}, which is no file of the package",
                        hint="add the file",
                    )
                )

    def _check_publishable(self, document: Document, model: Melody | Extension) -> None:
        for key in ("summary", "license"):
            if not getattr(model, key):
                self.problems.append(
                    document.problem(
                        NOT_PUBLISHABLE,
                        "",
                        f"missing key {key!r}, which a published version has",
                        hint=f"add {key}: …",
                    )
                )

    def _cases(self, file: str, subject: CaseSubject) -> None:
        folder = posixpath.join(posixpath.dirname(file), "tests")
        for name in sorted(self.files):
            if posixpath.dirname(name) == folder and name.endswith((".yaml", ".yml", ".json")):
                document = read_document(self.files[name], name)
                self.problems += document.problems
                if document.problems:
                    continue
                case, problems = read_model(document, TestCase, "PLY14")
                self.problems += problems
                if case is not None:
                    self._check_case(document, case, subject)

    def _check_case(self, document: Document, case: TestCase, subject: CaseSubject) -> None:
        named = [(f"/pins/{name}", name) for name in case.pins]
        named += [(f"/expect/nodes/{name}", name) for name in case.expect.nodes]
        named += [(f"/expect/never/{number}", name) for number, name in enumerate(case.expect.never)]
        for pointer, name in named:
            if _without_iterations(name) not in subject.nodes:
                self._case_problem(
                    document, pointer, f"got the node {name!r}, which {subject.name!r} does not have"
                )
        for name in case.inputs:
            if subject.closed and name not in subject.inputs:
                self._case_problem(
                    document, f"/inputs/{name}", f"got the input {name!r}, expected a declared one"
                )
        for name in case.expect.outputs:
            if name not in subject.outputs:
                self._case_problem(
                    document, f"/expect/outputs/{name}", f"got the output {name!r}, expected a declared one"
                )

    def _case_problem(self, document: Document, pointer: str, message: str) -> None:
        self.problems.append(document.problem(BAD_CASE, pointer, message, hint="compare with the document"))

    def _say(self, document: Document, findings: Iterable[Finding]) -> None:
        self.problems += [found.at(document) for found in findings]


def _no_document(file: str, message: str, hint: str) -> Problem:
    return Problem(NO_DOCUMENT, "error", file, 1, 1, "", message, hint)


def _name(file: str) -> str:
    return posixpath.basename(file)


def _local_uses(scope: Melody | ScopeBase, pointer: str) -> Iterable[tuple[str, str]]:
    for name, node in scope.nodes.items():
        place = f"{pointer}/nodes/{name}"
        if isinstance(node, Step):
            if node.uses.startswith("."):
                yield node.uses, f"{place}/uses"
        else:
            yield from _local_uses(node, place)


def _node_paths(scope: Melody | ScopeBase, prefix: str) -> Iterable[str]:
    for name, node in scope.nodes.items():
        yield prefix + name
        if isinstance(node, ScopeBase):
            yield from _node_paths(node, f"{prefix}{name}/")


def _without_iterations(path: str) -> str:
    return "/".join(part.partition("[")[0] for part in path.split("/"))
