"""What the page says when something breaks; the time goes on."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    ask_on_call_only,
    displayed_time,
    expect_right_time,
    loose_pattern,
    visit,
    wait_until_idle,
)
from tests.support.two_hosts import ZONES, TwoHosts, two_hosts
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
SEED = 2  # in a hundred rounds, 12 questions in a row go to the same of two hosts


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
        expect_right_time(page)
        hosts.heal()
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        expect(page.locator(".host")).to_have_count(2)


def rounds(page: Page, number: int) -> set[str]:
    """Return what the page says after each of this many rounds of requests."""
    said = set()
    for _ in range(number):
        page.evaluate("askAround(2)")
        said.add(page.locator("#service").inner_text())
    return said


def test_a_host_whose_turn_chance_delays_is_not_missing(page: Page, hosts: TwoHosts) -> None:
    wait_until_idle(page)
    ask_on_call_only(page)
    hosts.chance = random.Random(SEED)
    assert rounds(page, 100) == {"Both hosts answer"}
    assert len(hosts.paths) < 100 * 5


def test_of_many_hosts_none_is_missing_until_it_is_lost(browser: Browser) -> None:
    with two_hosts(6 * ZONES) as hosts, visit(browser, hosts.url) as visitor:
        hosts.chance = random.Random(SEED)
        service = visitor.page.locator("#service")
        expect(service).to_have_text(loose_pattern(r"\d+ hosts answer"))
        ask_on_call_only(visitor.page)
        rounds(visitor.page, 20)
        assert rounds(visitor.page, 30) == {"12 hosts answer"}
        hosts.paths.clear()
        assert rounds(visitor.page, 1)
        assert len(hosts.paths) <= 16
        hosts.lost.add(5)
        rounds(visitor.page, 12)
        assert service.inner_text() == "11 hosts answer"
        assert visitor.trouble == []


RIGHT: dict[str, Any] = {
    "epoch": 1.0,
    "instance": "i-0",
    "zone": "us-east-1a",
    "clock": {"state": "synchronised", "offset": 0.0, "bound": 0.001, "age": 1.0},
}


@pytest.mark.parametrize(
    "said",
    [
        "<html>",
        "null",
        "{}",
        json.dumps(RIGHT | {"epoch": "1"}),
        json.dumps(RIGHT | {"epoch": 1e300}),
        json.dumps(RIGHT | {"instance": None}),
        json.dumps(RIGHT | {"clock": None}),
        json.dumps(RIGHT | {"clock": RIGHT["clock"] | {"bound": None}}),
        json.dumps(RIGHT | {"clock": RIGHT["clock"] | {"age": "old"}}),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_failure_and_the_time_goes_on(
    said: str, page: Page, hosts: TwoHosts
) -> None:
    wait_until_idle(page)
    hosts.said = said
    page.evaluate("askAround(2)")
    expect(page.locator("#service")).to_contain_text("No answer (not readable)")
    expect_right_time(page)
    hosts.said = None
    expect(page.locator("#service")).to_have_text("Both hosts answer")


def test_an_error_of_its_own_does_not_stop_it(browser: Browser, hosts: TwoHosts) -> None:
    """The page logs the error to the console, and continues when it can."""
    with visit(browser, hosts.url) as visitor:
        page = visitor.page
        wait_until_idle(page)
        hosts.shift = 2.0
        with page.expect_event("pageerror"):
            page.evaluate("right = combine; combine = () => { throw new Error('broken') }; 0")
        page.evaluate("askAround(2).catch(() => 0)")
        assert not page.evaluate("busy")
        page.evaluate("combine = right; 0")
        before = displayed_time(page)
        wait_until(lambda: displayed_time(page) != before)
        expect(page.locator("#service")).to_have_text("The hosts contradict each other")


def test_a_service_that_fails_is_said_and_asked_until_it_is_back(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        hosts.silent = True
        expect(visitor.page.locator("#service")).to_have_text(
            "No answer (status 502); this time is computed from earlier answers"
        )
        expect_right_time(visitor.page)
        hosts.silent = False
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_without_any_answer_it_mentions_no_earlier_one(browser: Browser, hosts: TwoHosts) -> None:
    hosts.said = "<html>"
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("No answer (not readable)")


def test_without_a_network_it_says_so_goes_on_and_recovers(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        visitor.context.set_offline(True)
        expect(visitor.page.locator("#service")).to_contain_text("Your computer is offline")
        expect_right_time(visitor.page)
        visitor.context.set_offline(False)
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_a_computer_whose_only_network_is_its_own_is_not_called_offline(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        service = visitor.page.locator("#service")
        expect(service).to_have_text("Both hosts answer")
        visitor.page.evaluate("Object.defineProperty(navigator, 'onLine', {value: false}); show()")
        expect(service).to_have_text("Both hosts answer")


def test_hosts_that_contradict_each_other_are_told(browser: Browser, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("The hosts contradict each other")


def test_a_host_that_contradicts_itself_is_told(page: Page, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    page.evaluate("askAround(2)")
    expect(page.locator(".host").first).to_contain_text(
        loose_pattern(r"contradict each other by ([01]\.\d\d|2\.00) s or more")
    )
