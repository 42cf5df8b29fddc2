"""Reading text files by glob."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.kit_packages import Kit


@pytest.fixture(autouse=True)
def _tree(project: Path) -> None:
    for path, data in {
        "a.py": b"a = 1\n",
        "deep/er/b.py": "b = 'ü'\n".encode(),
        "deep/c.txt": b"c",
        "deep/data.py": b"\xff\xfe",
        ".git/config.py": b"no",
        "lib/.venv/x.py": b"no",
    }.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(data)
    (project / "link.py").symlink_to("/etc/passwd")


def test_reads_what_matches_in_order_and_names_what_is_no_text(kit: Kit, project: Path) -> None:
    given = kit.succeed("files", inputs={"path": str(project)}, parameters={"patterns": ["**/*.py"]})
    assert given["files"] == [
        {"path": "a.py", "text": "a = 1\n"},
        {"path": "deep/er/b.py", "text": "b = 'ü'\n"},
    ]
    assert given["left_out"] == [{"path": "deep/data.py", "reason": "not UTF-8 text"}]


def test_one_star_stays_in_its_folder_and_a_question_mark_is_one_character(kit: Kit, project: Path) -> None:
    given = kit.succeed(
        "files", inputs={"path": str(project)}, parameters={"patterns": ["*.py", "deep/?.txt"]}
    )
    assert [file["path"] for file in given["files"]] == ["a.py", "deep/c.txt"]


def test_bounds_leave_files_out_with_the_reason(kit: Kit, project: Path) -> None:
    words = {"patterns": ["**/*.py"], "exclude": ["**/.*/**"], "max_total": 7}
    given = kit.succeed("files", inputs={"path": str(project)}, parameters=words)
    assert [file["path"] for file in given["files"]] == ["a.py"]
    assert {"path": "deep/er/b.py", "reason": "9 bytes are over the limit"} in given["left_out"]
