"""The pages in a real browser, without JavaScript: found, read, reached by keyboard, at any width, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from support.browser import browser, overflows, page_of
from support.registry_running import Publisher, Running


@pytest.fixture(scope="module")
def running_browser() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="session")
def package(registry: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The only package of this name in the registry, which is as old as the session too."""
    invitation = registry.invite("player", "brass")
    publisher = Publisher(tmp_path_factory.mktemp("brass"), invitation.token, "brass")
    answer = publisher.publish(registry.url, publisher.work_tree("flugelhorn"))
    assert answer.status == 201, answer.body
    return "brass/flugelhorn"


def test_a_visitor_searches_opens_the_package_and_sees_how_to_install_it(
    running_browser: Browser, registry: Running, package: str
) -> None:
    with page_of(running_browser) as (page, complaints):
        page.goto(registry.url)
        page.get_by_role("searchbox").first.fill("flugelhorn")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=flugelhorn")
        page.get_by_role("link", name="flugelhorn").first.click()
        page.wait_for_url(f"**/{package}")
        assert page.get_by_role("heading", level=1).inner_text().strip().endswith("flugelhorn")
        assert page.get_by_text(f"polyphony install {package}").first.is_visible()
        assert complaints == []


@pytest.mark.parametrize("width", [1280, 500, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_load_whole_and_never_scroll_sideways(
    running_browser: Browser,
    registry: Running,
    package: str,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    with page_of(running_browser, width=width, scheme=scheme) as (page, complaints):
        for path in (
            "/",
            "/search?q=flugelhorn",
            f"/{package}",
            f"/{package}/1.0.0",
            f"/{package.split('/', maxsplit=1)[0]}",
        ):
            page.goto(registry.url + path)
            assert not overflows(page), path
        assert complaints == []


def test_the_first_tab_reaches_the_content(running_browser: Browser, registry: Running) -> None:
    with page_of(running_browser) as (page, _):
        page.goto(registry.url)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/#content")


@pytest.mark.parametrize("width", [1280, 360])
def test_no_readme_breaks_out_of_its_column(
    running_browser: Browser, registry: Running, tmp_path: Path, width: int
) -> None:
    owner = f"wide{width}"
    publisher = Publisher(tmp_path, registry.invite(owner, owner).token, owner)
    word, row = "a" * 300, "|".join("cell_that_is_long_and_unbroken" for _ in range(12))
    readme = f"# {word}\n\nhttps://example.org/{word}\n\n`{word}`\n\n    {word}\n\n|{row}|\n|{'|'.join('-' * 12)}|\n|{row}|\n"
    tree = publisher.work_tree("n" * 40, {"README.md": readme}, summary="s" * 200)
    assert publisher.publish(registry.url, tree).status == 201
    with page_of(running_browser, width=width) as (page, _):
        for path in (f"/{owner}/{'n' * 40}", f"/{owner}", f"/search?q={'n' * 40}", f"/{owner}/{'x' * 400}"):
            page.goto(registry.url + path)
            assert not overflows(page), path


def test_a_page_that_is_not_there_offers_the_search_for_it(
    running_browser: Browser, registry: Running
) -> None:
    with page_of(running_browser) as (page, _):
        page.goto(f"{registry.url}/nobody/knows/this/page")
        assert page.get_by_role("heading", level=1).inner_text() == "Not here"
        assert page.get_by_text("Nothing is served under '/nobody/knows/this/page'").is_visible()
        page.get_by_role("link", name="Search for “nobody knows this page”").click()
        page.wait_for_url("**/search?q=nobody%20knows%20this%20page")
