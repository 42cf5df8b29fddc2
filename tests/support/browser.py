"""A real Chromium, headless and with no background traffic, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE_MS = 120_000
FLAGS = [
    "--no-sandbox",  # the tests run as root, and the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Its path; without it the tests that need it fail, they do not skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "Chromium is missing; hint: apt-get install chromium"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser process."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS, timeout=PATIENCE_MS)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def page_of(
    running: Browser, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[tuple[Page, list[str]]]:
    """A page without scripts, and the complaints that it gathers: console errors, failed requests."""
    context = running.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=False,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on(
        "response",
        lambda answer: complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None,
    )
    try:
        yield page, complaints
    finally:
        context.close()


def overflows(page: Page) -> bool:
    """Whether the page as a whole scrolls sideways."""
    sizes = page.locator("html").bounding_box(), page.locator("body").bounding_box()
    width = page.viewport_size["width"] if page.viewport_size else 0
    return any(box is not None and box["x"] + box["width"] > width + 1 for box in sizes)
