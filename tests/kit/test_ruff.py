"""Lint as SARIF."""

from __future__ import annotations

from pathlib import Path

from support.kit_packages import Kit


def test_findings_have_rules_levels_and_relative_places(kit: Kit, project: Path) -> None:
    (project / "pkg").mkdir()
    (project / "pkg/a b.py").write_text("import os\n")
    given = kit.succeed("ruff", inputs={"path": str(project)})
    (result,) = given["findings"]["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], given["count"]) == ("F401", 1)
    assert place["artifactLocation"]["uri"] == "pkg/a%20b.py"
    assert place["region"]["startLine"] == 1


def test_rules_can_be_chosen_and_left_out(kit: Kit, project: Path) -> None:
    (project / "a.py").write_text("import os\nx=1;y=2\n")
    words = {"select": ["E7", "F"], "ignore": ["F401"]}
    given = kit.succeed("ruff", inputs={"path": str(project)}, parameters=words)
    assert {result["ruleId"] for result in given["findings"]["runs"][0]["results"]} == {"E702"}


def test_the_projects_own_settings_decide_and_unusable_ones_are_said_so(kit: Kit, project: Path) -> None:
    (project / "a.py").write_text("import os\n")
    (project / "ruff.toml").write_text('lint.ignore = ["F401"]\n')
    assert kit.succeed("ruff", inputs={"path": str(project)})["count"] == 0
    (project / "ruff.toml").write_text('required-version = "<0.1"\n')
    given = kit.succeed("ruff", inputs={"path": str(project)})
    assert given["count"] == 1
    assert "own ruff settings cannot be used" in given["remarks"][0]


def test_a_file_that_is_no_python_is_a_finding(kit: Kit, project: Path) -> None:
    (project / "a.py").write_text("def (:\n")
    assert kit.succeed("ruff", inputs={"path": str(project)})["count"] > 0


def test_a_rule_that_is_none_is_a_configuration_error(kit: Kit, project: Path) -> None:
    failed = kit.fail("ruff", inputs={"path": str(project)}, parameters={"select": ["NOPE1"]})
    assert failed.kind == "configuration"
