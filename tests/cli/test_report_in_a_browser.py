"""``show --html`` as people open it: a file, in a real browser, without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from polyphony_cli.app import run
from support.browser import browser, overflows, page_of
from support.page_runs import rich_run


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_the_report_is_whole_on_a_phone_and_on_a_desk(
    tmp_path: Path, width: int, scheme: Literal["light", "dark"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is fetched, nothing sticks out."""
    folder = rich_run(tmp_path)
    assert run(["--home", str(tmp_path / "home"), "show", folder.run, "--html"]) == 0
    file = tmp_path / "report.html"
    file.write_text(capsys.readouterr().out)
    with browser() as running, page_of(running, width=width, scheme=scheme) as (page, complaints):
        page.goto(file.as_uri())
        assert (overflows(page), complaints) == (False, [])
        assert page.locator("svg .note").count() > 10
        assert page.locator("h2").all_inner_texts()[:2] == ["Why it failed", "Timeline"]
        page.locator("summary").first.click()
        assert page.locator("details[open] pre").first.is_visible()
