from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polyphony_schemas.trust
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.records import parse_record
from polyphony_schemas.trust.tiles import TileReader
from polyphony_schemas.trust.tlog_proof import TlogProof, encode_tlog_proof, parse_tlog_proof
from polyphony_schemas.trust.verification import CODES
from support.trust_registry import sample_registry

ROOT = Path(__file__).parents[3]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(polyphony_schemas.trust.__path__, "polyphony_schemas.trust.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_code_is_documented() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("errors*/*.md")]
    pages += [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("errors.md")]
    sources = [
        path.read_text(encoding="utf-8") for path in (ROOT / "schemas/polyphony_schemas/trust").rglob("*.py")
    ]
    for code in {*CODES, *re.findall(r"PLY50\d\d", "".join(sources))}:
        assert any(f"| {code} |" in page for page in pages), code


def test_verifying_imports_no_heavy_library() -> None:
    probe = "import sys, polyphony_schemas.trust.verification; print('sigstore' in sys.modules or 'yaml' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_a_proof_file_shows_a_record_to_be_in_the_log() -> None:
    registry = sample_registry()
    size = registry.log.size
    reader = TileReader(size, lambda path: registry.files[f"log/{path}"])
    keys = [registry.note_signer.verifier_key()]
    for index, record in enumerate(reader.records(0, size)):
        assert parse_record(record)
        data = encode_tlog_proof(
            TlogProof(index, tuple(reader.inclusion(index)), registry.fetch("log/checkpoint"))
        )
        proof = parse_tlog_proof(data)
        assert proof.verify_record(record, keys).size == size
        with pytest.raises(FormatError):
            proof.verify_record(record + b" ", keys)


@pytest.mark.parametrize(
    "change",
    [
        (b"@v1", b"@v2"),
        (b"index 3", b"index 03"),
        (b"index 3", b"index +3"),
        (b"index 3", b"extra 3"),
        (b"\n\n", b"\n"),
    ],
)
def test_refuses_proof_files_of_another_form(change: tuple[bytes, bytes]) -> None:
    data = encode_tlog_proof(TlogProof(3, (bytes(32),), b"note\n"))
    with pytest.raises(FormatError):
        parse_tlog_proof(data.replace(*change))


@given(st.binary(max_size=80))
def test_random_proof_files_give_only_our_error(data: bytes) -> None:
    for body in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        try:
            parse_tlog_proof(body)
        except FormatError as error:
            assert error.code == "PLY5010"
