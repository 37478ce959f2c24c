"""Chromium, as scripts/tools.sh unpacks it, and a visitor in it who keeps what is wrong with a page."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.tools import DEBIAN, find_file, libraries

PATIENCE = 20_000  # ms; twice the time between two rounds of questions
# The browser's own clock cannot be set alone: this sets what a page may see of it, before any script runs.
SET_CLOCK = """ms => {
  const Real = Date;
  window.shift = ms;
  Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + window.shift); }
    static now() { return Real.now() + window.shift; }
  };
}"""
WATCH = "document.addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective))"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. It keeps nothing. What is expected of its pages is waited for."""
    expect.set_options(timeout=PATIENCE)
    package, place = "chromium-headless-shell", "usr/lib/chromium/chromium-headless-shell"
    own = shutil.which("google-chrome")  # of CI's machine, whose packages are not Debian's
    if (DEBIAN / package).is_dir() or not own:
        own = str(find_file(package, place, "scripts/tools.sh chromium"))
    fonts = str(DEBIAN / "fonts.conf")
    environment = os.environ | {"LD_LIBRARY_PATH": libraries(), "FONTCONFIG_FILE": fonts}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, env={**environment})
        yield browser
        browser.close()


class Visit(NamedTuple):
    """trouble: what the console said, and errors of scripts; asked: URLs."""

    context: BrowserContext
    page: Page
    trouble: list[str]
    asked: list[str]


@contextmanager
def visit(browser: Browser, url: str, ahead: float = 0.0, **options: Any) -> Iterator[Visit]:
    """A visitor whose clock is `ahead` by seconds, with these options of Playwright's new_context."""
    context = browser.new_context(**{"timezone_id": "Europe/Berlin", **options})
    try:
        context.add_init_script(f"({SET_CLOCK})({1000 * ahead}); {WATCH}")
        page, trouble, asked = context.new_page(), list[str](), list[str]()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        yield Visit(context, page, trouble, asked)
    finally:
        context.close()


def words(pattern: str) -> re.Pattern[str]:
    """Some of the page's spaces do not let a line break."""
    return re.compile(pattern.replace(" ", r"\s"))


def until(condition: Callable[[], Any]) -> None:
    """As the policy of the page forbids what Playwright's own wait_for_function does."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def idle(page: Page) -> None:
    """Wait until it asks nothing for a while."""
    expect(page.locator("#service")).to_have_text("Both hosts answer")
    until(lambda: not page.evaluate("busy"))


def shown(page: Page) -> float:
    """The time that the page shows, in seconds since midnight UTC."""
    hours, minutes, seconds = page.locator("#now").inner_text().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def seconds_of_day() -> float:
    """This machine's time, in seconds since midnight UTC."""
    now = datetime.now(UTC)
    return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def expect_right_time(page: Page) -> None:
    """Wait until the page's digits change, and until they are this machine's time.

    They may be late by their cut digits, and ahead by the page's bound. A busy machine shows them
    late for a while, so they are read until they are right.
    """
    before = shown(page)
    until(lambda: shown(page) != before)
    until(lambda: -0.5 < (shown(page) - seconds_of_day() + 43200) % 86400 - 43200 < 0.3)
