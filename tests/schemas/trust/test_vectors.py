from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from polyphony_schemas.trust.bundle import parse_bundle, verify_bundle
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.keys import parse_spki_text
from polyphony_schemas.trust.map_proof import parse_map_proof
from polyphony_schemas.trust.notes import open_note, parse_checkpoint, parse_verifier_key

ROOT = Path(__file__).parents[3]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/data/trust/vectors.json").read_text(encoding="utf-8"))

TREES = {
    "T1": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
    "T2": "5f624868a54b593b4388b4d8f6cd051dd0c55a407c56bc5b175f56fb1560d83d",
    "T3": "fc7d368cb07d25d88577289e4cf21acdccbbae3007e95f5bf0a9ff9ceabd896c",
    "T4": "e5683ff2d85e07948084f08eb31cbff3698b5d3a3fcb09c96a4fc9a38e62a342",
    "T5": "c663b7a4eb41fd929ac790ff5d2633fe59faff70c59bf60e614175f019d8b828",
    "T6": "0a89522aaf5b3fb51cec89429f24d9121836d1fb54545d46de5bfc454efebfd9",
    "T7": "9c2ee583f8ce2bb36120620e2fff5a1a37c8c2782196d069c236867790e2f678",
    "T8": "8fee5d34c21e141cf68f1fda5fc0bb7ac9269350d73754500cce6940896dbe31",
    "T9": "e6411338c33049a686a2f1b0538ad844684649df05c60404db0bd3db058e22c8",
}
NOTE = """registry.example/log
4
aUzI3OUaSGt+2Ko8GIbu9XFZ4H9uGKKf8P6E6sEM8Pg=

— registry.example/log PxNmOoALjqXGzASene4ogHecpTjbP/3PkCfMMRQnp5oZnN5rMQjPCo7sY9eMq8/Ui1JExiRXIs+ecGnG5qoLZoLhrAk=
— witness.example/w1 2e1ixQAAAABqsTuFdAOul8VtdQmD1ml0snZ2dws4vGDl1oCktq6YIUTZeagnbznqXnKTwhEgll+MZx6rhEFGfilOYmw+JhHJRMvABQ==
"""


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_trust_vectors", ROOT / "tools/generate_trust_vectors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_vectors_are_what_the_generator_gives() -> None:
    assert _generator().render() == (ROOT / "tests/data/trust/vectors.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TREES)
def test_tree_ids_are_the_published_ones(name: str) -> None:
    assert VECTORS["trees"][name] == TREES[name]


def test_the_signature_vector_is_the_published_one() -> None:
    vector = VECTORS["signature"]
    statement = vector["statement"].encode()
    bundle = vector["bundle"].encode()
    assert (len(statement), sha256_hex(statement)) == (
        841,
        "f2a316b94200dd0fe01f8b886beade892945c40b05c0d1744d44aa83b5bbf315",
    )
    assert vector["pae_sha256"] == "3bedb53bf822ff3daae341e668a36df3d597736a57607c9931d2a7a3a848a2cc"
    assert vector["sig"] == (
        "a3oLUUnUZKLhpUOu4Ss+53YZq1U+q5Kc5E/QdZnJilpbdjk0Ct6FBotDOHjww5PDZgTkLTZGtZz4b7/hTjZxBw=="
    )
    assert (len(bundle), sha256_hex(bundle)) == (
        1522,
        "10f1b54466c949ccde3e6477b4af00085da4cd13b343c0642bfe6c89c218e9f0",
    )
    key = parse_spki_text("MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=")
    assert key.hint == "/RENMB0vB33hQUuPmfRBsUA/qyB7IFL70sBl5O6OfcI="
    assert verify_bundle(parse_bundle(bundle), {key.hint: key}) is key


def test_the_log_vector_is_the_published_one() -> None:
    log = VECTORS["log"]
    assert [leaf[:8] for leaf in log["leaves"]] == ["376a0a0f", "65574d72", "a840a673", "594ae5cc"]
    assert log["head"] == "543405b9ca4e4272f45c00dd492d67e00e300bf72cca5b543cba37e8db4f0abc"
    assert log["map_root"] == "c8ee3d68a45ab2fb5197738840d015ebaae461329048576d9959b5ccff55f9a0"
    assert log["vkey"] == "registry.example/log+3f13663a+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
    assert log["witness_vkey"] == "witness.example/w1+d9ed62c5+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR"
    assert log["note"] == NOTE


def test_the_log_vector_verifies() -> None:
    log = VECTORS["log"]
    keys = [parse_verifier_key(log["vkey"]), parse_verifier_key(log["witness_vkey"])]
    note = open_note(NOTE.encode(), keys)
    assert dict(note.signers) == {"registry.example/log": None, "witness.example/w1": 1_790_000_005}
    proof = parse_map_proof(log["map_proof"].encode())
    proof.check_map(parse_checkpoint(note.text).root)
    proof.check_head("acme/flows", bytes.fromhex(log["head"]))
