"""The machine's package settings, read as uv and pip read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.package_index import DEFAULT_INDEX, machine_settings
from polyphony_runner.runtimes.failures import NodeError


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment that names no file of this machine."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_CONFIG_FILE": "/dev/null"}


def test_a_plain_machine_uses_the_built_in_default(machine: dict[str, str]) -> None:
    settings = machine_settings(machine)
    assert settings.indexes == (f"https://{DEFAULT_INDEX}",)
    assert (settings.find_links, settings.constraints, settings.proxy) == ((), (), None)


def test_variables_win_over_files_and_further_indexes_are_joined(
    machine: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text(
        'find-links = ["/links"]\n[[index]]\nurl = "https://uv.example/simple/"\ndefault = true\n'
        '[[index]]\nname = "extra"\nurl = "https://extra.example/simple"\n'
        '[[index]]\nname = "named"\nurl = "https://explicit.example"\nexplicit = true\n'
    )
    configured = machine_settings(machine)
    assert configured.indexes == ("https://uv.example/simple", "https://extra.example/simple")
    assert configured.find_links == ("/links",)
    assert not configured.best_match
    named = machine_settings(
        {
            **machine,
            "PIP_INDEX_URL": "https://ci:long-word@env.example/simple",
            "UV_INDEX": "a=https://a.example",
        }
    )
    assert named.indexes == (
        "https://ci:long-word@env.example/simple",
        "https://a.example",
        "https://extra.example/simple",
    )
    assert named.credentials == ("long-word",)


def test_pip_files_are_read_at_all_their_places(machine: dict[str, str], tmp_path: Path) -> None:
    named, user, system = (
        tmp_path / "named.conf",
        tmp_path / ".config/pip/pip.conf",
        tmp_path / "xdg/pip/pip.conf",
    )
    for path in (user, system):
        path.parent.mkdir(parents=True)
    named.write_text("[global]\nindex-url = https://named.example/simple\n")
    user.write_text(
        "[global]\nindex-url = https://user.example\nextra-index-url =\n  https://b.example\n  /local/simple\n"
    )
    system.write_text("[global]\nfind-links = /opt/wheels /more\n[install]\nconstraint = /c.txt\n")
    settings = machine_settings({**machine, "PIP_CONFIG_FILE": str(named)})
    assert settings.indexes == ("https://named.example/simple", "https://b.example", "file:///local/simple")
    assert settings.find_links[:2] == ("/opt/wheels", "/more")
    assert settings.constraints[0] == Path("/c.txt")
    assert settings.best_match


def test_no_index_leaves_only_links(machine: dict[str, str]) -> None:
    settings = machine_settings(
        {**machine, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/w", "HTTPS_PROXY": "http://p:1"}
    )
    assert (settings.indexes, settings.find_links, settings.proxy) == ((), ("/w",), "http://p:1")


def test_a_broken_file_is_an_error_with_its_name(machine: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "uv.toml"
    broken.write_text("not toml")
    with pytest.raises(NodeError, match=r"uv\.toml") as caught:
        machine_settings({**machine, "UV_CONFIG_FILE": str(broken)})
    assert caught.value.code == "PLY3701"
