"""``config.yaml`` of a home: what it may say, and what is said about everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.settings import Settings, read_settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_without_a_file_everything_has_its_default(home: Home) -> None:
    assert read_settings(home) == Settings(None, ("polyphony/*",))
    home.config.write_text("")
    assert read_settings(home) == Settings()


def test_says_how_many_nodes_and_whose_reports(home: Home) -> None:
    home.config.write_text("concurrency: {machine: 4}\nusage: {trusted: [acme/*]}\ncluster: {redis: x}\n")
    assert read_settings(home) == Settings(4, ("acme/*",))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- a", "no map"),
        ("a: {", "no map"),
        ("concurency: {machine: 1}", "'concurency' is no setting"),
        ("concurrency: {machine: 0}", "whole number from 1"),
        ("concurrency: {machine: true}", "whole number from 1"),
        ("concurrency: {run: 1}", "expected a map with machine"),
        ("usage: {trusted: acme/*}", "expected a list"),
    ],
)
def test_refuses_what_it_does_not_know(home: Home, text: str, named: str) -> None:
    home.config.write_text(text)
    with pytest.raises(ClientError, match=named) as refused:
        read_settings(home)
    assert refused.value.code == "PLY2651"


def test_every_setting_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
    assert all(f"`{name}`" in text for name in ("concurrency.machine", "usage.trusted"))
