"""The page for people, in a browser: what it shows, what it says when something breaks, and who can read it.

The hosts are two in this process; tests/rehearsal/test_2_page.py has those of a deployment.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium, visit
from tests.two_hosts import TwoHosts, two_hosts

pytestmark = pytest.mark.browser

PATIENCE = 20_000  # ms; twice the time between two rounds of questions
WIDTHS = (320, 768, 1280)
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shared_hosts() -> Iterator[TwoHosts]:
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts(shared_hosts: TwoHosts) -> TwoHosts:
    shared_hosts.heal()
    return shared_hosts


@pytest.fixture
def page(browser: Browser, hosts: TwoHosts) -> Iterator[Page]:
    """Of a visitor whose clock is right. Nothing may be wrong with it in the end."""
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        yield visitor.page
        assert visitor.trouble == []


def shown(page: Page) -> float:
    """The time that the page shows, in seconds since midnight UTC."""
    hours, minutes, seconds = page.locator("#now").inner_text().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def off(page: Page) -> float:
    """Seconds by which the page is ahead of this machine's clock; cut digits, and asking, make it late."""
    now = datetime.now(UTC)
    of_day = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    return (shown(page) - of_day + 43200) % 86400 - 43200


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


def test_it_ticks_and_is_right(page: Page) -> None:
    before, began = shown(page), time.monotonic()
    page.wait_for_timeout(2500)
    assert (shown(page) - before) % 86400 == pytest.approx(time.monotonic() - began, abs=0.4)
    assert -0.4 < min(off(page) for _ in range(3)) <= 0.3
    assert re.search(r"UTC, to within ±\d+(\.\d)? ms", page.locator(".hero").inner_text())
    expect(page).to_have_title("Time service")


def test_a_right_clock_is_called_right_and_the_zone_is_the_visitor_s(page: Page) -> None:
    expect(page.locator("#verdict")).to_have_text(
        re.compile(r"^Your clock is right, to within ±[\d.]+ ms$")
    )
    expect(page.locator("#local")).to_have_text(
        re.compile(r"^\d\d:\d\d:\d\d UTC\+[12] in your zone, Europe/Berlin")
    )


@pytest.mark.parametrize(
    ("ahead", "words"), [(3, "3.00 s fast"), (-0.34, "0.34 s slow"), (-7201, "2 h 0 min slow")]
)
def test_a_wrong_clock_is_told_by_how_much_and_the_time_is_right_all_the_same(
    ahead: float, words: str, browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url, ahead=ahead) as visitor:
        verdict = visitor.page.locator("#verdict")
        expect(verdict).to_have_text(re.compile(rf"^Your clock is {words} \(±[\d.]+ ms\)$"))
        level = "warn" if abs(ahead) < 1 else "bad"
        expect(visitor.page.locator("#yours")).to_have_attribute("data-level", level)
        assert -0.5 < off(visitor.page) < 0.3
        assert visitor.trouble == []


def test_a_clock_that_is_set_while_the_page_is_open_is_seen(page: Page, hosts: TwoHosts) -> None:
    page.evaluate("shift = 5000")
    expect(page.locator("#verdict")).to_contain_text("5.00 s fast")
    page.evaluate("shift = -60000")
    expect(page.locator("#verdict")).to_contain_text("1 min 0 s slow")
    assert -0.5 < off(page) < 0.3


def test_a_computer_that_may_have_slept_measures_anew(browser: Browser, hosts: TwoHosts) -> None:
    with visit(browser, hosts.url) as visitor:
        page = visitor.page
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        hosts.silent = True
        page.evaluate("shift = 3600000")
        expect(page.locator("#bound")).to_contain_text("before your computer slept")
        expect(page.locator("body")).to_have_attribute("data-stale", "")
        hosts.silent = False
        expect(page.locator("#bound")).to_contain_text("to within")
        expect(page.locator("#verdict")).to_contain_text("1 h 0 min fast")


def test_both_hosts_are_shown_with_zone_release_and_clock(page: Page) -> None:
    cards = page.locator(".host")
    expect(cards).to_have_count(2)
    for number, zone in enumerate(["us-east-1a", "us-east-1b"]):
        card = cards.nth(number)
        expect(card.locator("h3")).to_have_text(zone)
        expect(card.locator(".clock")).to_have_text("The clock agrees with the time server")
        expect(card.locator(".bound")).to_have_text(re.compile(r"^±1\.\d ms$"))
        expect(card.locator(".instance")).to_have_text(f"i-{number}")
        expect(card.locator(".version")).to_have_text("0a1b2c3d4e5f")
        expect(card).to_have_attribute("data-level", "good")


@pytest.mark.parametrize("how", ["lost", "dying"])
def test_a_host_that_dies_is_named_the_time_goes_on_and_its_return_is_seen(
    how: str, browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        page = visitor.page
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        getattr(hosts, how).add(1)
        expect(page.locator("#service")).to_have_text(
            "One host answers; the one in us-east-1b does not"
        )
        expect(page.locator(".host").nth(1)).to_contain_text("Does not answer")
        assert -0.5 < off(page) < 0.3
        hosts.heal()
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        expect(page.locator(".host")).to_have_count(2)


def test_a_service_that_fails_is_said_and_asked_until_it_is_back(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        hosts.silent = True
        expect(visitor.page.locator("#service")).to_contain_text("No answer (it says 502)")
        assert -0.5 < off(visitor.page) < 0.3
        hosts.silent = False
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_without_a_network_it_says_so_goes_on_and_recovers(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        visitor.context.set_offline(True)
        expect(visitor.page.locator("#service")).to_contain_text("Your computer is offline")
        visitor.page.wait_for_timeout(1200)
        assert -0.5 < off(visitor.page) < 0.3
        visitor.context.set_offline(False)
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_hosts_that_contradict_each_other_are_told(browser: Browser, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("The hosts contradict each other")


def test_a_host_that_contradicts_itself_is_told(page: Page, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    page.evaluate("askAround(2)")
    expect(page.locator(".host").first).to_contain_text(
        re.compile(r"contradict each other by (1\.9\d|2\.0\d) s or more")
    )


def test_it_asks_little(page: Page, hosts: TwoHosts) -> None:
    """A burst, and then each host once in ten seconds."""
    idle(page)
    hosts.paths.clear()
    page.wait_for_timeout(10_500)
    assert hosts.paths == ["/now"] * 2


def test_it_asks_nothing_while_nobody_looks(page: Page, hosts: TwoHosts) -> None:
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    idle(page)
    page.evaluate(hide % "true")
    hosts.paths.clear()
    page.wait_for_timeout(10_500)
    assert hosts.paths == []
    page.evaluate(hide % "false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: hosts.paths == ["/now"] * 2)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_it_fits_and_everybody_can_read_it(
    theme: Any, width: int, browser: Browser, hosts: TwoHosts
) -> None:
    viewport: Any = {"width": width, "height": 800}
    with visit(browser, hosts.url, ahead=3, color_scheme=theme, viewport=viewport) as visitor:
        idle(visitor.page)
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
        assert -1.5 < off(visitor.page) <= 0.1
        text = visitor.page.locator("body").inner_text()
        for words in ("The time when you asked", "The clock agrees with the time server", "us-east-1"):
            assert words in text
        assert "Your device" not in text


def test_a_keyboard_reaches_the_links_and_shows_where_it_is(page: Page) -> None:
    for address in ("/now", "/now?format=text"):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        expect(focused).to_have_attribute("href", address)
        assert focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"


def test_a_screen_reader_hears_of_changes_and_not_of_each_second(page: Page) -> None:
    idle(page)
    page.evaluate("""heard = []; new MutationObserver(all => all.forEach(one => {
        const region = one.target.parentElement?.closest('[role=status]') ?? one.target.closest?.('[role=status]');
        if (region && one.type !== 'attributes') heard.push(region.textContent) }))
        .observe(document, {subtree: true, childList: true, characterData: true})""")
    page.wait_for_timeout(2500)
    assert page.evaluate("heard") == []
    page.evaluate("shift = -4000")
    until(lambda: page.evaluate("heard.length"))
    assert page.evaluate("heard[0]").startswith("Your clock is 4.00 s slow")
    assert page.evaluate("document.querySelector('#now').closest('[role=status], [aria-live]')") is None


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
        "document.head.appendChild(Object.assign(document.createElement('style'), {textContent: 'a{}'}))",
        "document.body.setAttribute('style', 'color: red')",
        "fetch('http://127.0.0.2:9/').catch(() => 0)",
    ],
)
def test_the_policy_forbids_what_the_page_does_not_do(
    attack: str, browser: Browser, hosts: TwoHosts
) -> None:
    """Which shows, too, that the tests above would see a violation."""
    with visit(browser, hosts.url) as visitor:
        visitor.page.evaluate(f"setTimeout(() => {{ {attack} }})")
        visitor.page.wait_for_timeout(300)
        assert any("CSP" in one for one in visitor.trouble)
