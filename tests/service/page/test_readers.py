"""Everybody can read the page: on any screen, by keyboard, by ear, and without scripts."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import displayed_time, states, visit, wait_until_idle
from tests.support.two_hosts import TwoHosts
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
WIDTHS = (320, 768, 1280)
THEMES = ("light", "dark")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_it_fits_and_everybody_can_read_it(
    theme: Any, width: int, browser: Browser, hosts: TwoHosts
) -> None:
    viewport: Any = {"width": width, "height": 800}
    with visit(browser, hosts.url, ahead=3, color_scheme=theme, viewport=viewport) as visitor:
        wait_until_idle(visitor.page)
        hosts.lost.add(1)
        visitor.page.evaluate("askAround(2)")
        expect(visitor.page.locator("#service")).to_contain_text("does not")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") == width
        found = Axe().run(visitor.page)
        assert found.violations_count == 0, found.generate_report()
        dark = visitor.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", dark))) < 200) is (theme == "dark")


def test_without_javascript_it_shows_the_time_of_the_request(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url, java_script_enabled=False) as visitor:
        before = time.time_ns() // 10**9
        visitor.page.reload()
        stated = str(visitor.page.locator("#now").get_attribute("datetime"))
        assert before <= datetime.fromisoformat(stated).timestamp() <= time.time()
        text = visitor.page.locator("body").inner_text()
        for words in (
            "This is the time of your request",
            "The clock agrees with the time server",
            "us-east-1",
        ):
            assert words in text
        assert "Your device" not in text


def test_a_keyboard_reaches_the_links_and_shows_where_it_is(page: Page) -> None:
    for address in ("/now", "/now?format=text", "/now?tz=Asia/Tokyo"):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        expect(focused).to_have_attribute("href", address)
        assert focused.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"


def test_a_screen_reader_hears_of_changes_and_not_of_each_second(page: Page) -> None:
    wait_until_idle(page)
    page.evaluate("""heard = []; new MutationObserver(all => all.forEach(change => {
        const region = change.target.parentElement?.closest('[role=status]')
            ?? change.target.closest?.('[role=status]');
        if (region && change.type !== 'attributes') heard.push(region.textContent) }))
        .observe(document, {subtree: true, childList: true, characterData: true})""")
    before = displayed_time(page)
    wait_until(lambda: 2.5 < (displayed_time(page) - before) % 86400 < 43200)
    assert page.evaluate("heard") == []
    page.evaluate("shift = -4000")
    wait_until(lambda: page.evaluate("heard.length"))
    assert states(page.evaluate("heard[0]"), -4.0)
    assert (
        page.evaluate("document.querySelector('#now').closest('[role=status], [aria-live]')")
        is None
    )


def test_motion_that_is_not_wanted_is_left_out(browser: Browser, hosts: TwoHosts) -> None:
    with visit(browser, hosts.url, reduced_motion="reduce") as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        expect(visitor.page.locator("#tenth")).to_be_hidden()


def test_it_keeps_nothing_and_asks_nobody_else(browser: Browser, hosts: TwoHosts) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        assert visitor.context.cookies() == []
        assert visitor.context.storage_state()["origins"] == []
        outside = [url for url in visitor.asked if not url.startswith((hosts.url, "data:"))]
        assert outside == []
        assert visitor.trouble == []


@pytest.mark.parametrize(
    "attack",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.head.appendChild(Object.assign(document.createElement('style'), "
        "{textContent: 'a{}'}))",
        "document.body.setAttribute('style', 'color: red')",
        "fetch('http://127.0.0.2:9/').catch(() => 0)",
    ],
)
def test_the_policy_forbids_what_the_page_does_not_do(
    attack: str, browser: Browser, hosts: TwoHosts
) -> None:
    """This also shows that the tests above would notice a violation."""
    with visit(browser, hosts.url) as visitor:
        visitor.page.evaluate(f"setTimeout(() => {{ {attack} }})")
        # Each call lets Playwright receive the console's lines.
        wait_until(lambda: visitor.page.title() and any("CSP" in line for line in visitor.trouble))
