"""Fetching wheels, building a project and running its tests, for projects of different shapes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.package_index import IndexSettings
from support.kit_packages import Kit, defaults
from support.kit_wheels import ROOT, served_wheels
from support.runtimes_index import Index, sdist, serving, wheel

FLIT = '[build-system]\nrequires = ["flit_core >=3.2"]\nbuild-backend = "flit_core.buildapi"\n'
SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
DEMO = '[project]\nname = "demo"\nversion = "1.0"\ndescription = "x"\n'
READ_NEEDS = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from metadata import needs_of
from node import usable
needs = needs_of(Path(sys.argv[2]), json.loads(sys.argv[3]))
print(json.dumps(usable([*needs.run, *needs.test])))
"""
PASSING = "import demo\n\ndef test_two():\n    assert demo.TWO == 2\n"


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def fetch(kit: Kit, **inputs: Any) -> dict[str, Any]:
    return kit.succeed("python-fetch", inputs={"path": str(kit.work), **inputs})


def build(kit: Kit, wheels: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    return kit.succeed(
        "python-build", inputs={"path": str(kit.work), "wheels": wheels}, parameters=parameters
    )


def run_tests(kit: Kit, built: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    inputs = {"path": str(kit.work)} | ({"environment": built["environment"]} if built else {})
    return kit.succeed("pytest", inputs=inputs, parameters=parameters)


def statuses(tested: Mapping[str, Any]) -> dict[str, str]:
    return {case["name"]: case["status"] for case in tested["report"]["cases"]}


def test_src_layout_is_built_and_tested_with_its_own_dependencies(kit: Kit, project: Path) -> None:
    write(
        project,
        {
            "pyproject.toml": FLIT + DEMO + 'dependencies = ["iniconfig"]\n',
            "src/demo/__init__.py": "import iniconfig\nTWO = 2\n",
            "tests/test_demo.py": PASSING,
        },
    )
    fetched = fetch(kit)
    assert fetched["report"]["dynamic"] is False
    assert fetched["report"]["left_out"] == []
    wheels = kit.folder(fetched["wheels"])
    assert {path.name.split("-")[0] for path in (wheels / "build").iterdir()} == {"flit_core"}
    assert {path.name.split("-")[0] for path in (wheels / "run").iterdir()} >= {
        "iniconfig",
        "pytest",
        "pluggy",
    }
    built = build(kit, fetched["wheels"])
    assert built["report"]["built"] is True
    assert "demo 1.0" in built["report"]["installed"]
    assert not any(name.startswith("flit-core") for name in built["report"]["installed"])
    tested = run_tests(kit, built)
    assert statuses(tested) == {"test_two": "passed"}
    assert tested["report"]["cases"][0]["file"] == "tests/test_demo.py"
    assert tested["report"]["cases"][0]["line"] == 3
    assert "<testsuite" in kit.text(tested["junit"])
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml", "src", "tests"]


def test_setup_py_alone_is_asked_offline_what_it_needs(kit: Kit, project: Path) -> None:
    write(
        project,
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='demo', version='2.0', py_modules=['demo'], install_requires=['ini' + 'config'])\n",
            "demo.py": "",
        },
    )
    fetched = fetch(kit)
    assert fetched["report"]["dynamic"] is True
    asked = build(kit, fetched["wheels"], only_metadata=True)
    assert asked["requirements"] == ["iniconfig"]
    assert "environment" not in asked
    fetched = fetch(kit, also=asked["requirements"])
    assert any(name.startswith("iniconfig") for name in fetched["report"]["fetched"])


def test_a_version_from_git_is_found_and_a_missing_one_is_made_up(kit: Kit, project: Path) -> None:
    setup = (
        "import os, subprocess\nfrom setuptools import setup\n"
        "version = os.environ.get('SETUPTOOLS_SCM_PRETEND_VERSION')\n"
        "if not version:\n"
        "    version = subprocess.run(['git', 'describe', '--tags'], check=True, capture_output=True, text=True).stdout.strip()\n"
        "setup(name='demo', version=version, py_modules=['demo'])\n"
    )
    write(project, {"setup.py": setup, "demo.py": "", "pyproject.toml": SETUPTOOLS})
    wheels = fetch(kit)["wheels"]
    assert "demo 0.0.0" in build(kit, wheels)["report"]["installed"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["tag", "3.1"]):
        subprocess.run(["git", "-C", str(project), *words], check=True)
    assert "demo 3.1" in build(kit, wheels)["report"]["installed"]


def test_failing_tests_and_broken_files_are_results(kit: Kit, project: Path) -> None:
    write(
        project,
        {
            "test_a.py": "def test_no():\n    assert 1 == 2, 'never'\ndef test_yes():\n    pass\n",
            "test_b.py": "import nowhere_to_be_found\n",
        },
    )
    report = run_tests(kit)["report"]
    assert (report["tests"], report["failures"], report["errors"]) == (3, 1, 1)
    failed = next(case for case in report["cases"] if case["status"] == "failed")
    assert "never" in failed["message"]
    assert "test_a.py:2" in failed["trace"]


def test_without_tests_there_is_a_remark(kit: Kit, project: Path) -> None:
    write(project, {"demo.py": ""})
    tested = run_tests(kit)
    assert tested["report"]["tests"] == 0
    assert tested["remarks"] == ["No tests were found."]


def test_addopts_for_a_plugin_that_is_not_there_do_not_stop_the_tests(kit: Kit, project: Path) -> None:
    write(
        project,
        {"pytest.ini": "[pytest]\naddopts = --cov=demo\n", "test_a.py": "def test_yes():\n    pass\n"},
    )
    tested = run_tests(kit)
    assert statuses(tested) == {"test_yes": "passed"}
    assert "without addopts" in tested["remarks"][0]


def test_a_session_that_cannot_start_is_one_broken_case(kit: Kit, project: Path) -> None:
    write(
        project, {"conftest.py": "raise RuntimeError('no way')\n", "test_a.py": "def test_yes():\n    pass\n"}
    )
    report = run_tests(kit)["report"]
    assert (report["tests"], report["errors"]) == (1, 1)
    assert "no way" in report["cases"][0]["trace"]


def test_tests_have_no_network_and_a_copy_of_their_own(kit: Kit, project: Path) -> None:
    source = (
        "import pathlib, socket, pytest\n"
        "def test_write():\n    pathlib.Path('made').write_text('x')\n"
        "def test_network():\n"
        "    with pytest.raises(OSError):\n        socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
    )
    write(project, {"test_a.py": source})
    assert statuses(run_tests(kit)) == {"test_write": "passed", "test_network": "passed"}
    assert not (project / "made").exists()


def test_few_cases_are_shown_and_all_are_counted(kit: Kit, project: Path) -> None:
    source = "import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_n(n):\n    assert n != 40\n"
    write(project, {"test_a.py": source})
    report = run_tests(kit, max_cases=3)["report"]
    assert (report["tests"], report["failures"], len(report["cases"])) == (50, 1, 3)
    assert report["cases"][0]["name"] == "test_n[40]"


def test_a_dependency_without_a_wheel_is_left_out_and_said_so(kit: Kit, project: Path) -> None:
    write(
        project, {"pyproject.toml": FLIT + DEMO + 'dependencies = ["onlysource", "needsit", "iniconfig"]\n'}
    )
    with served_wheels() as index:
        index.add("onlysource", sdist("onlysource", "1.0"))
        index.add("needsit", wheel("needsit", "1.0", "", requires=("onlysource",)))
        own = Kit(project, IndexSettings(indexes=(index.url,)))
        fetched = fetch(own)
    left_out = {one["requirement"] for one in fetched["report"]["left_out"]}
    assert left_out == {"onlysource", "needsit"}
    assert any(name.startswith("iniconfig") for name in fetched["report"]["fetched"])
    assert len(fetched["remarks"]) == 2
    assert not any("onlysource" in path for path in index.requests if path.startswith("/files"))


def test_an_index_that_is_gone_is_a_network_error(project: Path) -> None:
    with serving(Index()) as gone:
        pass
    write(project, {"pyproject.toml": FLIT + DEMO})
    failed = Kit(project, IndexSettings(indexes=(gone.url,))).fail(
        "python-fetch", inputs={"path": str(project)}
    )
    assert failed.kind == "network"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pyproject.toml": '[project]\nname = "demo"\n[dependency-groups]\ntest = ["iniconfig", {include-group = "more"}]\nmore = ["pluggy"]\n'}, {"iniconfig", "pluggy"}),
        ({"pyproject.toml": '[project]\nname = "demo"\n[project.optional-dependencies]\ndev = ["demo[test]"]\ntest = ["iniconfig"]\n'}, {"iniconfig"}),
        ({"setup.cfg": "[options]\ninstall_requires =\n  iniconfig\n[options.extras_require]\ntest = pluggy\n"}, {"iniconfig", "pluggy"}),
        ({"setup.py": "", "requirements-dev.txt": "-r x.txt\niniconfig  # why\n./here\n"}, {"iniconfig"}),
        ({"setup.py": "", "tox.ini": "[testenv]\ndeps =\n  iniconfig\n  {[base]deps}\n  -rx.txt\n"}, {"iniconfig"}),
        ({"pyproject.toml": '[tool.poetry.group.test.dependencies]\npython = "^3.8"\niniconfig = "^2.0"\npluggy = {version = "~1.0"}\n'}, {"iniconfig>=2.0", "pluggy>=1.0"}),
        ({"pyproject.toml": '[project]\nname = "demo"\ndependencies = ["iniconfig; sys_platform == \'win32\'", "pluggy @ https://example.com/x.whl"]\n'}, set()),
        ({"pyproject.toml": "not toml ["}, set()),
    ],
)  # fmt: skip
def test_needs_are_read_without_running_anything(
    kit: Kit, project: Path, files: dict[str, str], wanted: set[str]
) -> None:
    write(project, files)
    extras = defaults(kit.packages["python-fetch"])["extras"]
    words = [
        sys.executable,
        "-Bc",
        READ_NEEDS,
        str(ROOT / "kit/python-fetch"),
        str(project),
        json.dumps(extras),
    ]
    done = subprocess.run(words, check=True, capture_output=True)
    assert set(json.loads(done.stdout)) == wanted
