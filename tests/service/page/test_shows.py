"""What the page shows: the time, the visitor's clock, the hosts."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    ask_on_call_only,
    displayed_time,
    expect_right_time,
    loose_pattern,
    states,
    visit,
    wait_until_idle,
)
from tests.support.two_hosts import TwoHosts
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


def test_it_ticks_and_is_right(page: Page) -> None:
    before = displayed_time(page)
    wait_until(lambda: 2.5 < (displayed_time(page) - before) % 86400 < 43200)
    expect_right_time(page)
    expect(page.locator(".hero")).to_contain_text(loose_pattern(r"UTC, to within ±[\d.]+ m?s"))
    expect(page).to_have_title("Time service")


def test_a_right_clock_is_called_right_and_the_zone_is_the_visitor_s(page: Page) -> None:
    expect(page.locator("#verdict")).to_have_text(
        loose_pattern(r"^Your clock is right, to within ±[\d.]+ m?s$")
    )
    expect(page.locator("#local")).to_have_text(
        loose_pattern(r"^\d\d:\d\d:\d\d UTC\+[12] in your zone, Europe/Berlin")
    )


@pytest.mark.parametrize(("ahead", "level"), [(3.0, "bad"), (-0.34, "warn"), (-59.0, "bad")])
def test_a_wrong_clock_is_told_by_how_much_and_the_time_is_right_all_the_same(
    ahead: float, level: str, browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url, ahead=ahead) as visitor:
        verdict = visitor.page.locator("#verdict")
        wait_until(lambda: states(verdict.inner_text(), ahead))
        expect(visitor.page.locator("#yours")).to_have_attribute("data-level", level)
        expect_right_time(visitor.page)
        assert visitor.trouble == []


def test_a_clock_that_is_wrong_by_hours_is_told_in_hours(browser: Browser, hosts: TwoHosts) -> None:
    with visit(browser, hosts.url, ahead=-7201) as visitor:
        verdict = visitor.page.locator("#verdict")
        expect(verdict).to_have_text(loose_pattern(r"^Your clock is 2\.0 h slow \(±[\d.]+ m?s\)$"))
        expect_right_time(visitor.page)
        assert visitor.trouble == []


def test_a_clock_that_is_set_while_the_page_is_open_is_seen(page: Page, hosts: TwoHosts) -> None:
    page.evaluate("shift = 5000")
    wait_until(lambda: states(page.locator("#verdict").inner_text(), 5.0))
    page.evaluate("shift = -66000")
    expect(page.locator("#verdict")).to_contain_text(loose_pattern(r"1\.1 min slow"))
    expect_right_time(page)


def test_a_computer_that_may_have_slept_measures_anew(browser: Browser, hosts: TwoHosts) -> None:
    with visit(browser, hosts.url) as visitor:
        page = visitor.page
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        hosts.silent = True
        page.evaluate("shift = 3660000")
        expect(page.locator("#bound")).to_contain_text("before your computer slept")
        expect(page.locator("body")).to_have_attribute("data-stale", "")
        hosts.silent = False
        expect(page.locator("#bound")).to_contain_text("to within")
        expect(page.locator("#verdict")).to_contain_text(loose_pattern(r"1\.0 h fast"))


@pytest.mark.parametrize("step", [16.7, 100])
def test_a_browser_that_hides_the_time_is_given_a_wider_bound(
    step: float, browser: Browser, hosts: TwoHosts
) -> None:
    """Some browsers do so against fingerprinting. The page must not take it for a sleep."""
    with visit(browser, hosts.url) as visitor:
        visitor.context.add_init_script(
            f"""for (const clock of [Performance.prototype, Date]) {{
                const now = clock.now;
                clock.now = function () {{ return {step} * Math.floor(now.call(this) / {step}) }};
            }}"""
        )
        visitor.page.reload()
        wait_until_idle(visitor.page)
        before = 1000 * time.time()
        lo, hi, mono = visitor.page.evaluate(
            "(({lo, hi}, mono) => [lo, hi, mono])(truth(performance.now()), performance.now())"
        )
        assert mono + lo <= 1000 * time.time()
        assert mono + hi >= before
        assert hi - lo > step
        doubted = "[...hosts.values()].some(host => host.doubted)"
        for _ in range(20):
            visitor.page.wait_for_timeout(100)
            assert not visitor.page.evaluate(doubted)
        expect(visitor.page.locator("#verdict")).to_contain_text("Your clock is right")
        assert visitor.trouble == []


def test_both_hosts_are_shown_with_zone_release_and_clock(page: Page) -> None:
    cards = page.locator(".host")
    expect(cards).to_have_count(2)
    for number, zone in enumerate(["us-east-1a", "us-east-1b"]):
        card = cards.nth(number)
        expect(card.locator("h3")).to_have_text(zone)
        expect(card.locator(".clock")).to_have_text("The clock agrees with the time server")
        expect(card.locator(".bound")).to_have_text(loose_pattern(r"^±[\d.]+ ms$"))
        expect(card.locator(".instance")).to_have_text(f"i-{number}")
        expect(card.locator(".version")).to_have_text("0a1b2c3d4e5f")
        expect(card).to_have_attribute("data-level", "good")


def test_it_asks_little(page: Page, hosts: TwoHosts) -> None:
    """The page sends a burst, and then one request in ten seconds for each host."""
    wait_until_idle(page)
    ask_on_call_only(page)
    for rounds in (1, 2, 3):
        hosts.paths.clear()
        page.evaluate("askAround(2)")
        assert hosts.paths == ["/now"] * 2
        assert page.evaluate("delays") == [10_000] * rounds


def test_it_asks_nothing_while_nobody_looks(page: Page, hosts: TwoHosts) -> None:
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    wait_until_idle(page)
    ask_on_call_only(page)
    page.evaluate(hide % "true")
    hosts.paths.clear()
    page.evaluate("askAround(2)")
    assert hosts.paths == page.evaluate("delays") == []
    page.evaluate(hide % "false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(lambda: hosts.paths == ["/now"] * 2)
