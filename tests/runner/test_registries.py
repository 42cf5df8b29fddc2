"""Bindings: one registry for a namespace, known by origin and log key; the memory of its log moves by swap alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.registries.binding import Binding, origin_of, read_binding, write_binding
from polyphony_runner.registries.memory import Memory
from polyphony_runner.registries.table import Registries
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.keys import derive_private_key
from polyphony_schemas.trust.notes import NoteSigner


def log_key(origin: str, seed: int = 1) -> str:
    key = derive_private_key("ed25519", bytes([seed]) * 32)
    return str(NoteSigner(f"{origin}/log", key).verifier_key())  # type: ignore[arg-type]  # an Ed25519 key


def binding(origin: str = "registry.example", *namespaces: str, seed: int = 1) -> Binding:
    return Binding(origin, log_key(origin, seed), (f"https://{origin}",), namespaces or ("acme",))


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    return Registries(Home.at(tmp_path / "home"))


def test_a_binding_survives_its_file(tmp_path: Path) -> None:
    made = replace(
        binding(),
        minimum_age=0,
        namespace_ages={"acme": 90_000},
        urls=("http://127.0.0.1:1", "https://m.example"),
    )
    write_binding(tmp_path / "r", made)
    assert read_binding(tmp_path / "r") == made
    assert stat.S_IMODE((tmp_path / "r" / "binding.yaml").stat().st_mode) == 0o600
    assert made.log_origin == "registry.example/log"
    assert made.minimum_age_of("acme") == 90_000
    assert made.minimum_age_of("other") == 0


def test_the_default_is_three_days_of_age_and_one_of_freshness() -> None:
    assert binding().minimum_age == 72 * 3_600_000
    assert binding().max_age == 24 * 3_600_000


def test_a_name_belongs_to_one_registry_and_nothing_else_is_asked(registries: Registries) -> None:
    registries.add(binding("one.example", "acme"))
    registries.add(binding("two.example", "polyphony"))
    assert registries.for_name("polyphony/ruff").origin == "two.example"
    with pytest.raises(TrustError) as caught:
        registries.for_name("other/thing")
    assert (caught.value.code, caught.value.step) == ("PLY5102", 1)
    with pytest.raises(ClientError) as taken:
        registries.add(binding("three.example", "acme"))
    assert taken.value.code == "PLY6503"


def test_adding_again_brings_addresses_and_namespaces_but_no_other_key(registries: Registries) -> None:
    registries.add(binding("one.example", "acme"))
    both = registries.add(replace(binding("one.example", "beta"), urls=("http://127.0.0.1:9",)))
    assert both.namespaces == ("acme", "beta")
    assert both.urls == ("http://127.0.0.1:9", "https://one.example")
    assert registries.all() == [both]
    with pytest.raises(ClientError) as caught:
        registries.add(binding("one.example", "acme", seed=2))
    assert caught.value.code == "PLY6504"
    assert registries.all() == [both]


def test_removing_forgets_the_memory_too(registries: Registries) -> None:
    made = registries.add(binding())
    registries.memory(made).swap(None, b"note")
    registries.remove("https://registry.example")
    assert registries.all() == []
    assert registries.memory(made).read() is None
    with pytest.raises(ClientError) as caught:
        registries.remove("registry.example")
    assert caught.value.code == "PLY6505"


@pytest.mark.parametrize("key", ["", "registry.example/log", "registry.example/log+00000000+AAAA", "x+y+z"])
def test_refuses_what_is_no_log_key(key: str) -> None:
    with pytest.raises(ClientError) as caught:
        origin_of(key)
    assert caught.value.code == "PLY6501"


@pytest.mark.parametrize(
    "text",
    [
        "binding: v2\n",
        "[]\n",
        "binding: v1\norigin: a\n",
        "binding: v1\norigin: a\nlog_key: b\nurls: []\nnamespaces: []\n",
        "binding: v1\norigin: a\nlog_key: b\nurls: c\nnamespaces: []\nmore: 1\n",
        "a: 1\na: 2\n",
    ],
)
def test_a_broken_binding_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "binding.yaml").write_text(text)
    with pytest.raises(ClientError) as caught:
        read_binding(tmp_path)
    assert caught.value.code == "PLY6502"


def test_an_origin_is_one_folder_whatever_it_holds(registries: Registries) -> None:
    home = registries.home
    for origin in ("registry.example:8440", "a/../../b", "..", "."):
        assert home.registry(origin).parent == home.registries
        assert home.registry(origin).resolve().parent == home.registries.resolve()


def test_the_memory_moves_only_from_what_was_read(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "r")
    assert memory.read() is None
    assert memory.swap(None, b"1")
    assert not memory.swap(None, b"2")
    assert memory.swap(b"1", b"2")
    assert memory.read() == b"2"


def test_of_many_who_swap_at_once_one_wins(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "r")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: memory.swap(None, b"%d" % number), range(16)))
    assert won.count(True) == 1
    assert memory.read() == b"%d" % won.index(True)
