"""Chromium, as scripts/chromium.sh unpacks it, and a visitor in it who keeps what is wrong with a page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.tools import DEBIAN, libraries, unpacked

# With a font of its own, so that lines break alike on every machine.
FONTS = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{DEBIAN / "fonts-inter"}</dir>
  <cachedir>{DEBIAN / "fonts-cache"}</cachedir>
</fontconfig>
"""
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
    """A browser. It keeps nothing."""
    package, place = "chromium-headless-shell", "usr/lib/chromium/chromium-headless-shell"
    command = unpacked(package, place, "scripts/chromium.sh")
    fonts = DEBIAN / "fonts.conf"
    fonts.write_text(FONTS)
    environment = os.environ | {"LD_LIBRARY_PATH": libraries(), "FONTCONFIG_FILE": str(fonts)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, env={**environment})
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
