"""A real Chromium, headless and with no background traffic, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page, Request, sync_playwright

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
    page.on("requestfailed", lambda request: complaints.extend(failed(request)))
    page.on(
        "response",
        lambda answer: complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None,
    )
    try:
        yield page, complaints
    finally:
        context.close()


def failed(request: Request) -> list[str]:
    """What to say of a request that failed; that the next page ended one of the last, the icon's, is no failure."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"failed: {request.url} ({request.failure})"]


def overflows(page: Page) -> bool:
    """Whether the page as a whole scrolls sideways, or anything in it would without being clipped."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
