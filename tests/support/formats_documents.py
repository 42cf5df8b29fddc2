"""Small packages for tests of the formats: a melody from its nodes, and two extensions to use in it."""

from __future__ import annotations

from textwrap import dedent

from polyphony_schemas.graph.analysis import Analysis, analyse
from polyphony_schemas.graph.interface import extension_interface, melody_interface
from polyphony_schemas.loading import load_extension, load_melody
from polyphony_schemas.problems import Problem
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.validate import validate_tree

HEAD = "melody: v1\nname: sample\nversion: 1.0.0\n"
WORK = """
extension: v1
name: work
version: 1.0.0
kind: operator
inputs:
  n: {schema: {type: integer}}
  text: {schema: {type: string}, required: false}
outputs:
  n: {schema: {type: integer}}
  text: {schema: {type: string}}
  made: {from_task: true}
parameters:
  type: object
  properties: {level: {type: integer, minimum: 1}, script: {type: string}}
run: {python: "node:main"}
"""
READER = """
extension: v1
name: reader
version: 1.0.0
kind: operator
inputs: {path: {schema: {type: string, format: path}}}
outputs: {text: {schema: {type: string}}}
permissions: {read: ["${ inputs.path }"], run: [cat]}
run: {process: [cat]}
"""
CALLER = """
extension: v1
name: caller
version: 1.0.0
kind: instrument
inputs: {"*": {schema: {}}}
outputs: {answer: {schema: {type: object}}}
permissions: {network: granted, secrets: granted, models: granted}
effects: undoable
run: {process: [call]}
"""
PACKAGES = {"./work": WORK, "./reader": READER, "./caller": CALLER, "acme/caller@^1": CALLER}


def melody(text: str) -> bytes:
    """A melody whose head is written already."""
    return (HEAD + dedent(text).rstrip("\n") + "\n").encode()


def packages() -> dict[str, PackageInterface]:
    """The outsides of the sample extensions."""
    return {uses: extension_interface(load_extension(text.encode())) for uses, text in PACKAGES.items()}


def analysed(text: str) -> Analysis:
    """The analysis of a melody that uses the sample extensions."""
    return analyse(load_melody(melody(text)), packages())


def problems_of(text: str, **files: str) -> list[Problem]:
    """What validation says of a melody that uses the sample extensions."""
    tree = {"melody.yaml": melody(text), **{name: body.encode() for name, body in files.items()}}
    return validate_tree(tree, "melody.yaml", packages())


def errors_of(text: str) -> list[tuple[str, str]]:
    """Code and pointer of each error, in order."""
    return [(p.code, p.pointer) for p in problems_of(text) if p.severity == "error"]


def sub_melody(text: str) -> PackageInterface:
    """The outside of a melody."""
    return melody_interface(load_melody(melody(text)))
