"""Debian's Chromium, and a visitor in it who records what is wrong with a page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.tools import DEBIAN, find_file, libraries
from tests.support.waiting import PATIENCE, wait_until

# The clock of one browser cannot be set: this changes what a page sees, before any script runs.
SET_CLOCK = """ms => {
  const Real = Date;
  window.shift = ms;
  Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + window.shift); }
    static now() { return Real.now() + window.shift; }
  };
}"""
# A busy machine may take longer than the page waits for a response.
WAIT_LONG = "AbortSignal.timeout = () => new AbortController().signal"
WATCH = """document.addEventListener(
    'securitypolicyviolation', e => console.error('CSP', e.violatedDirective))"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser that stores nothing. Its `expect` waits for PATIENCE."""
    expect.set_options(timeout=1000 * PATIENCE)
    package, place = "chromium-headless-shell", "usr/lib/chromium/chromium-headless-shell"
    own = shutil.which("google-chrome")
    if (DEBIAN / package).is_dir() or not own:
        own = str(find_file(package, place, "scripts/tools.sh chromium"))
    fonts = str(DEBIAN / "fonts.conf")
    # The browser has the environment of Playwright's Node.js, which may lack a library as well.
    with patch.dict(os.environ, LD_LIBRARY_PATH=libraries(), FONTCONFIG_FILE=fonts):
        playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=own)
        yield browser
        browser.close()
    finally:
        playwright.stop()


class Visit(NamedTuple):
    """trouble: lines of the console, and errors of scripts. asked: URLs."""

    context: BrowserContext
    page: Page
    trouble: list[str]
    asked: list[str]


@contextmanager
def visit(browser: Browser, url: str, ahead: float = 0.0, **options: Any) -> Iterator[Visit]:
    """Open the page with a clock that is `ahead` by seconds, with Playwright's context options."""
    context = browser.new_context(**{"timezone_id": "Europe/Berlin", **options})
    try:
        context.set_default_timeout(1000 * PATIENCE)
        context.add_init_script(f"({SET_CLOCK})({1000 * ahead}); {WAIT_LONG}; {WATCH}")
        page, trouble, asked = context.new_page(), list[str](), list[str]()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        yield Visit(context, page, trouble, asked)
    finally:
        context.close()


def loose_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern with any space for a space: some of the page's do not break lines."""
    return re.compile(pattern.replace(" ", r"\s"))


def wait_until_idle(page: Page) -> None:
    """Wait until the page sends no request for a while."""
    expect(page.locator("#service")).to_have_text("Both hosts answer")
    wait_until(lambda: not page.evaluate("busy"))


def ask_on_call_only(page: Page) -> None:
    """Let only the test start the page's rounds of requests; keep their delays in `delays`."""
    page.evaluate(
        """() => {
            clearTimeout(timer);
            delays = [];
            const real = setTimeout;
            setTimeout = (call, ms, ...rest) => {
                if (call !== askAround) return real(call, ms, ...rest);
                delays.push(ms);
                return 0;
            };
        }"""
    )
    wait_until(lambda: not page.evaluate("busy"))


def states(text: str, ahead: float) -> bool:
    """Return whether a verdict is right about a clock that is `ahead` by seconds.

    It must hold the truth within its own bound, whose size depends on how busy the machine is.
    """
    found = re.search(r"clock is ([\d.]+)\ss (fast|slow) \(±([\d.]+)\s(m?s)\)", text)
    if not found:
        return False
    size, kind, bound, unit = found.groups()
    error = float(size) - (ahead if kind == "fast" else -ahead)
    rounding = 0.005
    return abs(error) <= float(bound) / (1000 if unit == "ms" else 1) + rounding


def displayed_time(page: Page) -> float:
    """Return the time that the page shows, in seconds since midnight UTC."""
    hours, minutes, seconds = page.locator("#now").inner_text().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def seconds_of_day() -> float:
    """Return this machine's time, in seconds since midnight UTC."""
    now = datetime.now(UTC)
    return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def expect_right_time(page: Page) -> None:
    """Wait until the page's digits change, and until they are this machine's time.

    The digits are late by what is cut, and may be ahead by the page's bound. A busy machine shows
    them late for a while, so they are read until they are right.
    """
    before = displayed_time(page)
    wait_until(lambda: displayed_time(page) != before)
    wait_until(
        lambda: -0.5 < (displayed_time(page) - seconds_of_day() + 43200) % 86400 - 43200 < 0.3
    )
