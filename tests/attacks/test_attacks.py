"""Every attack program at every level of this machine is stopped, as the page of the last run says."""

from __future__ import annotations

import pytest

from generate_attacks import LEVELS, kept
from polyphony_runner.sandbox.spec import Level
from support.attack_levels import attack, attacked_levels
from support.attack_programs import WAYS, Attack, attacks

pytestmark = pytest.mark.slow


def may_be_open(one: Attack, level: Level) -> bool:
    return level in one.heads.get("open", "").split(", ")


@pytest.mark.parametrize("level", attacked_levels())
def test_every_program_is_stopped(level: Level) -> None:
    came = attack(level)
    programs = {one.name: one for one in attacks()}
    assert sorted(came) == sorted(programs)
    opened = {name: said for name, said in came.items() if said["came"] == "open"}
    assert {name: said["by"] for name, said in opened.items() if not may_be_open(programs[name], level)} == {}
    last = kept()[level]
    current = [one for one in programs.values() if last.get(one.name, {}).get("digest") == one.digest]
    assert {
        one.name for one in current if (last[one.name]["came"] == "open") != (one.name in opened)
    } == set()


def test_there_are_enough_of_them_and_each_says_what_it_tries() -> None:
    found = attacks()
    assert len(found) >= 60
    for one in found:
        assert one.way in WAYS
        assert one.heads["must"], one.name
        assert one.tries.endswith("."), one.name


def test_only_landlock_may_have_an_open_row() -> None:
    for level in LEVELS:
        opened = [name for name, said in kept().get(level, {}).items() if said["came"] == "open"]
        assert opened == (["files/stat_outside"] if level == "landlock" else [])
